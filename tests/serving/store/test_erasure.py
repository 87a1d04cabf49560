"""Erasing on both databases, also while others write about the same customer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from features.errors import SettingsError
from serving.secret import Secret
from serving.store import Kept, Outrun, Store
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
