"""Erasing on both databases, also while others write about the same customer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Timer
from urllib.parse import quote

import pytest
from sqlalchemy import text
from sqlalchemy.event import listen

from features.errors import SettingsError
from serving.secret import Secret
from serving.store import Kept, Outrun, Store, StoreUnavailable
from serving.store.deliveries import Dead, Delivery, bury
from serving.store.erased import Names
from serving.store.tables import metadata
from tests.serving.store.rows import NOW, customers, event, events, history, products, record

SECRET = Secret(b"a secret of thirty-two bytes, or more")
WHO = "canary-4711"


@pytest.fixture
def store(store_url):
    store = Store.open(store_url, patience_s=20.0, secret=SECRET)
    yield store
    store.close()


def told(store, number):
    return store.append_events(events(event(f"{WHO}-e{number}", WHO, kind="complaint")))


def decided(store, number, revision):
    new = record(f"{WHO}-q{number}", f"{number:036}", WHO, revision=revision)
    return store.record([new], at=NOW)


def published(store):
    past = history(
        event(f"{WHO}-o", WHO, kind="order", order_id="1", amount="9"), event("b", "bob")
    )
    who = customers({"customer_id": WHO}, {"customer_id": "bob"})
    about = {"newest_events": 10, "compaction": 0, "about": {}}
    store.publish(past, who, products({"product_id": "p"}), **about)


def planned(store, number):
    plan = record(f"{WHO}-p{number}", f"plan-{number:031}", WHO)
    store.record_plans([plan])


def tables_with(store, text):
    with store._connections.reading() as connection:
        return {
            table.name
            for table in metadata.sorted_tables
            for row in connection.execute(table.select())
            if text in repr(tuple(row))
        }


def test_every_trace_goes_and_others_stay(store):
    published(store)
    told(store, 1)
    planned(store, 1)
    assert len(tables_with(store, WHO)) >= 5

    erasure = store.erase(WHO, at=NOW)

    assert tables_with(store, WHO) == set()
    assert tables_with(store, erasure.name) == {"erased"}
    assert {"histories", "people"} <= tables_with(store, "bob")
    assert store.erase(WHO, at=NOW + timedelta(days=1)) == erasure


def test_nothing_that_comes_later_is_kept(store):
    store.erase(WHO, at=NOW)
    assert told(store, 1).erased == {f"{WHO}-e1"}
    assert isinstance(decided(store, 1, 0)[0], Outrun)
    planned(store, 1)
    published(store)
    assert tables_with(store, WHO) == set()


def test_what_is_under_way_at_the_same_moment_leaves_nothing(store):
    """Whoever comes first: what was kept before goes, what comes after is not kept."""
    for turn in range(4):
        published(store)
        with ThreadPoolExecutor(10) as pool:
            under_way = [
                *(pool.submit(told, store, 100 * turn + number) for number in range(6)),
                *(pool.submit(decided, store, 100 * turn + number, 0) for number in range(6)),
                *(pool.submit(planned, store, 100 * turn + number) for number in range(6)),
                pool.submit(published, store),
                pool.submit(store.erase, WHO, at=NOW),
            ]
            for one in under_way:
                one.result()
        assert tables_with(store, WHO) == set()


def test_a_complaint_goes_on_counting_without_a_name(store):
    told(store, 1)
    assert store.conditions_at(NOW).complaints_7d == 1
    store.erase(WHO, at=NOW)
    assert store.conditions_at(NOW).complaints_7d == 1


def test_the_request_of_an_erased_customer_is_free_again(store):
    receipt = f'{{"request_id": "{WHO}-q1"}}'
    [kept] = store.record([record(f"{WHO}-q1", customer_id=WHO, receipt=receipt)], at=NOW)
    assert isinstance(kept, Kept)
    store.erase(WHO, at=NOW)
    assert store.remembered({f"{WHO}-q1": "hash"}) == {}


def test_another_secret_is_told_of(store, store_url):
    Store.open(store_url, patience_s=5).close()
    store.erase(WHO, at=NOW)
    for secret in (None, Secret(bytes(32))):
        with pytest.raises(SettingsError, match="root secret"):
            Store.open(store_url, patience_s=5, secret=secret)


def test_scrubbing_leaves_no_byte_in_the_file_and_works_beside_readers(store, store_url, tmp_path):
    for number in range(300):
        told(store, number)
    store.erase(WHO, at=NOW)
    files = [*tmp_path.glob("store.db*")]
    assert not files or any(WHO.encode() in file.read_bytes() for file in files)
    with ThreadPoolExecutor(4) as pool:
        reads = [pool.submit(store.erasures) for _ in range(50)]
        store.scrub()
        assert all(len(one.result()) == 1 for one in reads)
    if store_url.startswith("sqlite"):
        for file in tmp_path.glob("store.db*"):
            assert WHO.encode() not in file.read_bytes()
    assert store.erase("another", at=NOW).swept_at is None  # it still takes what is written


def signed_up(store, hours_ago):
    return store.append_events(
        events(event(f"{WHO}-up-{hours_ago}", WHO, kind="signup", hours_ago=hours_ago))
    )


def test_who_begins_anew_is_published_without_the_past_that_the_lake_yet_holds(store, view):
    past = history(
        event("old", WHO, hours_ago=9), event("new", WHO, hours_ago=1), event("b", "bob")
    )
    about = {"newest_events": 10, "compaction": 0, "about": {}}
    store.erase(WHO, at=NOW - timedelta(hours=5))
    signed_up(store, 2)
    old = customers(
        {"customer_id": WHO, "region": "old", "known_at": NOW - timedelta(hours=9)},
        {"customer_id": "bob"},
    )
    store.publish(past, old, products({"product_id": "p"}), **about)

    known = view(WHO, "bob").knowledge
    assert sorted(known.history["event_id"]) == ["b", f"{WHO}-up-2", "new"]
    assert known.customers["customer_id"].to_list() == ["bob"]

    new = customers({"customer_id": WHO, "region": "new", "known_at": NOW - timedelta(hours=1)})
    store.publish(past, new, products({"product_id": "p"}), **about)
    assert view(WHO).knowledge.customers["region"].to_list() == ["new"]


def test_the_first_secret_is_the_stores_before_anybody_is_erased(store, store_url):
    with pytest.raises(SettingsError, match="belongs to another root secret"):
        Store.open(store_url, patience_s=5, secret=Secret(bytes(32)))
    Store.open(store_url, patience_s=5, secret=SECRET).close()


def test_who_opened_under_another_secret_takes_and_records_nothing(store):
    """As where the database was put in another's place while this process ran."""
    store.erase("another", at=NOW)
    stranger = Store(store._connections, Names.of(Secret(bytes(32))))
    for write in (
        lambda: told(stranger, 1),
        lambda: decided(stranger, 1, 0),
        lambda: planned(stranger, 1),
        lambda: published(stranger),
        lambda: stranger.erase(WHO, at=NOW),
    ):
        with pytest.raises(SettingsError, match="Every machine"):
            write()
    assert tables_with(store, WHO) == set()


def test_a_decision_from_before_the_erasure_does_not_count_in_the_new_life(store, view):
    told(store, 1)
    seen = view(WHO).revisions[WHO]
    store.erase(WHO, at=NOW - timedelta(hours=5))
    nobody = view(WHO).revisions[WHO]
    for hours_ago in range(1, 4):  # as many things happen as happened before, and more
        signed_up(store, hours_ago)
        assert isinstance(decided(store, hours_ago, seen)[0], Outrun)
        assert isinstance(decided(store, hours_ago, nobody)[0], Outrun)
    assert isinstance(decided(store, 9, view(WHO).revisions[WHO])[0], Kept)


@pytest.mark.parametrize(
    ("who", "body"),
    [
        ("4711", b'{"customer": {"id": 4711}}'),
        ("4711", b'[{"id": 4711.0}]'),
        ("ann@example.com", b'{"id": "ann\\u0040example.com"}'),
        ("ann@example.com", b"id=ann%40example.com&kind=order"),
        ("ann", b'broken {"customer": "ann"'),
        ("ann", b"bob,ann,17\n"),
    ],
)
def test_a_dead_letter_is_found_however_it_names_them(store, who, body):
    of = Delivery("shop", NOW, {}, b"")
    others = [b'{"id": 47110, "name": "anne@example.com"}', b"joanna 14711", b'{"n": 47.11}']
    with store._connections.writing() as connection:
        bury(connection, of, [Dead(one, "broken") for one in [*others, body]], at=NOW)
    store.erase(who, at=NOW)
    left = store.dead_letters(numbers=None, source=None)
    assert [one.delivery.body for one in left] == others


def test_dead_letters_are_read_a_few_at_a_time(store):
    of = Delivery("shop", NOW, {}, b"")
    names = [b'{"id": "bob"}', f'{{"id": "{WHO}"}}'.encode()]
    with store._connections.writing() as connection:
        bury(connection, of, [Dead(one, "broken") for one in names * 400], at=NOW)
    asked = []

    def note(_connection, _cursor, statement, _values, context, _many):
        if "FROM dead_letters" in statement and statement.startswith("SELECT"):
            asked.append(context.execution_options.get("yield_per"))

    listen(store._connections.writer, "before_cursor_execute", note)
    store.erase(WHO, at=NOW)
    assert asked == [100]
    assert len(store.dead_letters(numbers=None, source=None)) == 400


def test_what_nobody_parses_goes_and_what_somebody_may_stays(store):
    week = timedelta(days=7)
    theirs, bobs = f'{{"customer": "{WHO}"}}'.encode(), b'{"customer": "bob"}'
    for body, age in ((theirs, 8), (theirs, 6), (bobs, 8)):
        store.keep_deliveries([Delivery("gone", NOW - timedelta(days=age), {}, body)])
    assert store.drop_unparsed(at=NOW) == 0  # nobody was erased
    store.erase(WHO, at=NOW)
    assert store.drop_unparsed(at=NOW) == 1
    assert store.drop_unparsed(at=NOW) == 0
    assert store.delivery_counts()["waiting"] == 2
    assert store.drop_unparsed(at=NOW + week) == 1
    signed_up(store, -1)  # what a new life brings in is theirs
    store.keep_deliveries([Delivery("gone", NOW + timedelta(hours=2), {}, theirs)])
    assert store.drop_unparsed(at=NOW + 2 * week) == 0


def hurried(postgresql, options):
    address = postgresql.new_database()
    Store.open(address, patience_s=20.0, secret=SECRET).close()
    joint = "&" if "?" in address else "?"
    return Store.open(f"{address}{joint}options={quote(options)}", patience_s=20.0, secret=SECRET)


@contextmanager
def vacuum_waits(store, seconds):
    """Another is at a table in a way that VACUUM waits for."""
    holder = store._connections.reader.connect()
    holder.execute(text("SET TRANSACTION READ WRITE"))
    holder.execute(text("LOCK TABLE events IN SHARE UPDATE EXCLUSIVE MODE"))
    timer = Timer(seconds, holder.rollback)
    timer.start()
    try:
        yield
    finally:
        timer.join()
        holder.close()


def test_emptying_postgresql_takes_longer_than_a_statement_may(postgresql):
    store = hurried(postgresql, "-c statement_timeout=700 -c lock_timeout=0")
    with vacuum_waits(store, 1.5):
        store.scrub()
    with store._connections.writing() as connection:
        assert connection.scalar(text("SHOW statement_timeout")) == "700ms"
    store.close()


def test_a_fault_of_the_driver_is_a_store_that_is_unavailable(postgresql):
    store = hurried(postgresql, "-c lock_timeout=100")
    with vacuum_waits(store, 1.0), pytest.raises(StoreUnavailable, match="lock timeout"):
        store.scrub()
    store.scrub()
    told(store, 1)
    store.close()
