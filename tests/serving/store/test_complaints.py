"""Complaints of the last seven days are counted once, from wherever and however often told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import polars as pl

from serving.conditions import NO_CONDITIONS
from serving.tables import UTC
from tests.serving.store.rows import NOW, event, events

DAY = timedelta(days=1)


def told(*ids_days_ago):
    rows = [{"event_id": name, "at": NOW - days * DAY} for name, days in ids_days_ago]
    return pl.DataFrame(rows, schema={"event_id": pl.String, "at": UTC})


def test_a_complaint_told_online_counts_at_the_next_look(store, view):
    assert view("ann").knowledge.conditions.complaints_7d == 0
    spam = event("c1", kind="complaint", channel="email", hours_ago=1)
    store.append_events(events(spam, event("o1", kind="open", channel="email", hours_ago=1)))
    assert view("bob").knowledge.conditions.complaints_7d == 1  # whoever is asked for
    store.append_events(events(spam))
    assert store.conditions_at(NOW).complaints_7d == 1
    assert store.conditions_at(NOW + 8 * DAY).complaints_7d == 0


def test_the_lake_and_the_inbox_together_count_a_complaint_once(store):
    store.append_events(events(event("c1", kind="complaint", channel="email", hours_ago=1)))
    found = store.keep_arrivals(told(("c1", 0.1), ("c2", 3)), delivered=900, as_of=NOW)
    assert (found.complaints_7d, found.delivered_7d) == (2, 900)
    assert store.conditions_at(NOW + 5 * DAY).complaints_7d == 1  # the other is past


def test_what_else_is_in_force_stays(store):
    kept = replace(NO_CONDITIONS, mail_price=0.5)
    store.keep_conditions(kept)
    store.keep_arrivals(told(), delivered=7, as_of=NOW)
    assert store.conditions() == replace(kept, delivered_7d=7)
