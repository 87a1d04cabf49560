from __future__ import annotations

from polars.testing import assert_frame_equal

from serving.store import Outrun
from tests.serving.store.rows import NOW, customers, event, events, history, products, record


def publish(store, *rows, people=(), shelf=(), newest_events=50):
    return store.publish(
        history(*rows),
        customers(*people),
        products(*shelf),
        newest_events=newest_events,
        compaction=0,
        about={"lake": {"events": 3}},
    )


def test_what_is_published_is_known(store, view):
    rows = [event("e1", hours_ago=3), event("e2", hours_ago=2), event("e3", "bob")]
    shelf = [{"product_id": "mug", "price": "12.5", "currency": "USD"}]
    people = [{"customer_id": "ann", "timezone": "Asia/Seoul", "children": 2.0}]
    assert publish(store, *rows, people=people, shelf=shelf) == 2
    knowledge = view("ann").knowledge
    assert_frame_equal(knowledge.history, history(*rows[:2]))
    assert_frame_equal(knowledge.customers, customers(*people))
    assert_frame_equal(knowledge.products, products(*shelf))
    assert store.publication() == {"lake": {"events": 3}}


def test_before_the_first_publication_nothing_is_known(store, view):
    knowledge = view("ann").knowledge
    assert (knowledge.history.height, knowledge.customers.height) == (0, 0)
    assert knowledge.products.height == 0
    assert store.publication() is None


def test_a_second_publication_replaces_the_first(store, view):
    publish(store, event("e1"), people=[{"customer_id": "ann", "region": "north"}])
    view("ann")  # the shelf that was read here must not be remembered for ever
    people = [{"customer_id": "ann", "region": "south"}]
    publish(store, event("e1"), event("e2"), people=people, shelf=[{"product_id": "pen"}])
    knowledge = view("ann").knowledge
    assert knowledge.history.height == 2
    assert knowledge.customers["region"].to_list() == ["south"]
    assert knowledge.products["product_id"].to_list() == ["pen"]


def test_a_publication_outruns_a_decision_on_what_was_known_before(store, view):
    seen = view("ann").revisions["ann"]
    publish(store, event("no", kind="unsubscribe"))
    assert store.record([record("r1", revision=seen)], at=NOW) == [Outrun()]


def test_of_a_person_the_newest_telling_counts(store, view):
    people = [
        {"customer_id": "ann", "region": "south", "known_at": NOW},
        {"customer_id": "ann", "region": "north", "known_at": NOW.replace(year=2023)},
    ]
    publish(store, people=people)
    assert view("ann").knowledge.customers["region"].to_list() == ["south"]


def test_a_long_history_is_kept_by_its_newest_events_and_all_permissions(store, view):
    views = [event(f"e{n}", hours_ago=n + 1) for n in range(9)]
    publish(store, *views, event("no", kind="unsubscribe", hours_ago=99), newest_events=2)
    assert sorted(view("ann").knowledge.history["event_id"]) == ["e0", "e1", "no"]


def test_an_event_in_the_lake_and_still_online_is_in_both_until_let_go(store, view):
    store.append_events(events(event("e1")))
    publish(store, event("e1"))
    assert view("ann").knowledge.history["event_id"].unique().to_list() == ["e1"]
