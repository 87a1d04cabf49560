from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from polars.testing import assert_frame_equal

from features.contracts import History
from serving.store import Store, Taken
from tests.serving.store.rows import NOW, customers, event, events, history, products

NOTHING = {"about": {}, "compaction": 0, "newest_events": 50}


def test_an_event_told_twice_is_one_and_the_first_telling_stays(store, view):
    first = store.append_events(events(event("e1", query="mug"), event("e2")))
    again = store.append_events(events(event("e1", query="pen"), event("e3")))
    assert (first, again) == (Taken(2, 0, frozenset()), Taken(1, 1, frozenset()))
    history = view("ann").knowledge.history.sort("event_id")
    assert history["event_id"].to_list() == ["e1", "e2", "e3"]
    assert history["query"].to_list() == ["mug", None, None]


def test_an_event_told_twice_in_one_batch_is_one(store, view):
    assert store.append_events(events(event("e1"), event("e1"))) == Taken(1, 1, frozenset())
    assert view("ann").knowledge.history.height == 1


def test_an_event_comes_back_as_it_was_told(store, view):
    bought = event(
        "e1", kind="order", amount="12.3456", currency="USD", order_id="o1", product_id="mug"
    )
    store.publish(
        history(),
        customers(),
        products({"product_id": "mug", "category": "Kitchen > Cups"}),
        **NOTHING,
    )
    store.append_events(events(bought))
    past = view("ann").knowledge.history
    assert past.schema == History.create_empty().schema
    row = past.row(0, named=True)
    assert str(row["amount"]) == "12.3456"
    assert (row["at"], row["category"]) == (NOW - timedelta(hours=1), "Kitchen")


def test_only_the_customers_asked_for_are_read(store, view):
    store.append_events(events(event("e1", "ann"), event("e2", "bob")))
    assert view("ann").knowledge.history["event_id"].to_list() == ["e1"]
    assert view("ann", "bob").knowledge.history.height == 2
    assert view("nobody").knowledge.history.height == 0


def test_events_wait_for_the_lake_until_they_are_marked(store):
    told = events(event("e1"), event("e2"), event("e3"))
    store.append_events(told)
    inbox = store.uncompacted(2)
    assert_frame_equal(inbox.events, told[:2])
    store.mark_compacted(inbox.numbers)
    assert store.uncompacted(10).events["event_id"].to_list() == ["e3"]


def test_a_publication_lets_go_only_what_the_lake_had_when_it_was_read(store, view):
    store.append_events(events(event("e1")))
    store.mark_compacted(store.uncompacted(10).numbers)
    seen = store.last_compaction()
    store.append_events(events(event("e2"), event("e3")))
    store.mark_compacted(store.uncompacted(1).numbers)  # after the lake was read
    lake = history(event("e1"))
    store.publish(lake, customers(), products(), about={}, compaction=seen, newest_events=50)
    assert sorted(view("ann").knowledge.history["event_id"]) == ["e1", "e2", "e3"]


def test_the_number_of_a_compaction_never_returns(store):
    store.append_events(events(event("e1")))
    first = store.mark_compacted(store.uncompacted(10).numbers)
    empty = history()
    store.publish(empty, customers(), products(), about={}, compaction=first, newest_events=50)
    store.append_events(events(event("e2")))
    assert store.mark_compacted(store.uncompacted(10).numbers) > first


WRITER = """
import sys
from serving.store import Store
from tests.serving.store.rows import event, events
store = Store.open(sys.argv[1], patience_s=5.0)
for number in range(10_000):
    store.append_events(events(event(f"e{number}")))
    print(f"e{number}", flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 25])
def test_an_acknowledged_event_survives_kill_9(url, acknowledged):
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, text=True
    ) as writer:
        heard = [writer.stdout.readline().strip() for _ in range(acknowledged)]
        writer.send_signal(signal.SIGKILL)
        heard += writer.stdout.read().split()
    store = Store.open(url, patience_s=5.0)
    kept = store.uncompacted(20_000).events["event_id"].to_list()
    store.close()
    assert len(heard) >= acknowledged
    # At most the one that was being written when the process died is there unacknowledged.
    assert kept[: len(heard)] == heard
    assert len(kept) - len(heard) <= 1
