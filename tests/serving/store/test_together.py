"""Several processes on one store: what they do together is as if one had done it after another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event
from time import monotonic

import pytest
from sqlalchemy import select

from serving.store import Kept, OtherBody, Outrun, Store, decided, inbox
from serving.store.decided import mail_of
from serving.store.erased import Names
from serving.store.revisions import revisions_of
from serving.store.tables import events as told_events
from tests.serving.store.rows import NOW, event, events, record
from tests.serving.store.test_decided import THREADS, at_once, keep
from tests.serving.store.test_published import publish

NO_NAMES = Names.of(None)  # nobody was erased
TURNS = 4  # of each of the threads


@pytest.fixture
def other(url):
    store = Store.open(url, patience_s=20.0)
    yield store
    store.close()


def test_a_view_is_one_moment(store, other):
    with store._connections.reading() as connection:
        seen = revisions_of(connection, ["ann"])
        other.record([record("r1", "d1")], at=NOW)
        assert mail_of(connection, ["ann"], NOW).height == 0
        assert revisions_of(connection, ["ann"]) == seen
    with store._connections.reading() as connection:
        assert mail_of(connection, ["ann"], NOW).height == 1


@pytest.mark.parametrize("is_known", [False, True])
def test_a_send_waits_for_the_unsubscribe_that_is_being_written_and_gives_way(
    store, other, view, is_known
):
    if is_known:
        store.append_events(events(event("e0")))
    seen = view("ann").revisions["ann"]
    with ThreadPoolExecutor(1) as pool:
        with other._connections.writing() as connection:
            inbox.take(connection, events(event("e1", kind="unsubscribe")), NO_NAMES)
            result = pool.submit(keep, store, record("r1", revision=seen))
            with pytest.raises(TimeoutError):
                result.result(timeout=0.3)
        assert result.result(timeout=5) == [Outrun()]


def test_one_request_for_many_customers_at_once_is_answered_once(url, store):
    answers = at_once(url, lambda s, n: keep(s, record("r1", f"d{n}", f"c{n}", action="wait")))
    assert len({answer for (answer,) in answers}) == 1
    found = [n for n in range(THREADS) if store.decision(f"d{n}") is not None]
    assert answers[0] == [Kept(f"answer of d{found[0]}".encode())]
    assert len(found) == 1


def test_the_rest_of_a_batch_is_kept_though_one_of_it_was_answered_elsewhere(store, other):
    start = Event()

    def first():
        with other._connections.writing() as connection:
            first_one = [record("r2", "d2", "bob", action="wait")]
            decided.record(connection, first_one, NO_NAMES, at=NOW)
            start.set()
            # Long enough for the batch to find that nobody has answered r2 yet.
            Event().wait(0.3)

    batch = [
        record("r1", "d1", "ann"),
        record("r2", "dx", "cem", body_hash="another", action="wait"),
        record("r3", "d3", "dee", action="wait"),
    ]
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(first)
        start.wait()
        results = keep(store, *batch)
        going.result()
    assert results == [Kept(b"answer of d1"), OtherBody(), Kept(b"answer of d3")]
    assert store.decision("dx") is None


def test_nobody_waits_for_each_other_for_ever(url):
    """Events, decisions, nights and cancellations over the same customers in any order."""
    people = [f"c{n}" for n in range(12)]

    def work(store, number):
        dice = Random(number)
        for turn in range(TURNS):
            some = dice.sample(people, 5)
            tag = f"{number}-{turn}"
            store.append_events(events(*(event(f"e{tag}-{one}", one) for one in some)))
            store.record(
                [record(f"r{tag}-{one}", f"d{tag}-{one}", one, revision=turn) for one in some],
                at=NOW,
            )
            store.record_plans([record(f"p{tag}", f"p{tag}-{one}", one) for one in some])
            sent = [
                event(f"s{tag}-{one}", one, "send", decision_id=f"d{tag}-{one}") for one in some
            ]
            store.append_events(events(*dice.sample(sent, 5)))
            store.cancel(f"d{tag}-{dice.choice(some)}")
        return True

    assert all(at_once(url, work))


def test_who_reads_on_from_the_last_number_misses_no_event(url, other):
    """Numbers are given before a transaction ends: one that ends late must not be passed by."""
    is_over = Event()
    seen = []

    def read():
        last = 0
        until = monotonic() + 60
        while monotonic() < until:
            over = is_over.is_set()
            with other._connections.reading() as connection:
                newer = select(told_events.c.number, told_events.c.event_id)
                newer = newer.where(told_events.c.number > last).order_by(told_events.c.number)
                rows = connection.execute(newer).all()
            seen.extend(row.event_id for row in rows)
            last = rows[-1].number if rows else last
            if over and not rows:
                return

    def tell(store, number):
        for turn in range(TURNS):
            tag, many = f"c{number}", 1 + number % 7
            store.append_events(events(*(event(f"{tag}-{turn}-{n}", tag) for n in range(many))))

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        at_once(url, tell)
        is_over.set()
        reading.result()
    with other._connections.reading() as connection:
        everything = connection.scalars(select(told_events.c.event_id)).all()
    assert sorted(seen) == sorted(everything)
    assert len(everything) == sum(TURNS * (1 + n % 7) for n in range(THREADS))


def test_every_compaction_has_a_number_of_its_own(url, store):
    numbers = at_once(url, lambda s, _n: s.mark_compacted([]))
    assert sorted(numbers) == list(range(1, THREADS + 1))


def test_publications_at_once_leave_one_shelf(url, store, view):
    def work(one, number):
        return publish(one, event("e1"), shelf=[{"product_id": f"pen{number}"}])

    assert at_once(url, work) == [1] * THREADS
    assert view("ann").knowledge.products.height == 1
