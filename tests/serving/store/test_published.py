from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.people import as_known
from serving.store import Outrun, Store
from serving.tables import UTC
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


def test_what_is_new_of_a_person_outruns_a_decision_and_what_is_not_does_not(store, view):
    seen = view("ann").revisions["ann"]
    seoul = [{"customer_id": "ann", "timezone": "Asia/Seoul"}]
    publish(store, people=seoul)
    assert store.record([record("r1", revision=seen)], at=NOW) == [Outrun()]
    seen = view("ann").revisions["ann"]
    publish(store, people=seoul)
    assert view("ann").revisions["ann"] == seen


@pytest.mark.parametrize("turned", [1, -1])
def test_of_two_tellings_at_one_moment_the_store_keeps_the_one_that_features_read(
    store, view, turned
):
    people = [{"customer_id": "ann", "region": region} for region in ("north", "south")][::turned]
    publish(store, people=people)
    spine = pl.DataFrame({"customer_id": ["ann"], "as_of": [NOW]}, schema_overrides={"as_of": UTC})
    [read] = as_known(customers(*people), spine)["region"]
    assert view("ann").knowledge.customers["region"].to_list() == [read]


class Elsewhere(Store):
    """Between any two lines another thread has read the shelf of before the first publication."""

    _shelf = property(lambda _self: None, lambda _self, _read: None)


def test_a_view_keeps_to_the_shelf_of_its_own_snapshot(store, url, settings):
    publish(store, event("e1"), shelf=[{"product_id": "pen", "category": "Office"}])
    store.append_events(events(event("e2", product_id="pen")))
    other = Elsewhere.open(url, patience_s=5.0)
    knowledge = other.view_of(["ann"], now=NOW, settings=settings).knowledge
    other.close()
    assert knowledge.products["product_id"].to_list() == ["pen"]
    assert knowledge.history.filter(event_id="e2")["category"].to_list() == ["Office"]


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
