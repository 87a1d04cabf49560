"""What holds for all alike is kept part by part, and the launch is noted once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

from serving.store import Store
from tests.serving.store.rows import NOW, record
from tests.serving.store.test_decided import at_once

LATER = NOW + timedelta(days=1)


def test_the_first_live_decision_is_the_launch_for_good(store, url):
    assert store.conditions().launched_at is None
    store.record_plans([record("p1", "p1")])
    assert store.conditions().launched_at is None  # a plan is no live decision
    store.record([record("r1", "d1")], at=NOW)
    assert store.conditions().launched_at == NOW
    store.record([record("r2", "d2", revision=1)], at=LATER)
    another = Store.open(url, patience_s=5.0)
    another.record([record("r3", "d3", revision=2)], at=LATER)
    assert another.conditions().launched_at == NOW
    another.close()


def test_what_is_not_kept_is_no_launch(store):
    store.record([record("r1", "d1", revision=7)], at=NOW)  # outrun by somebody else
    assert store.conditions().launched_at is None


def test_parts_that_change_at_once_are_all_kept(url):
    def change(store, number):
        part = partial(_with_share, number=number)
        store.change_conditions(part)
        store.record([record(f"r{number}", f"d{number}", action="wait")], at=NOW)

    at_once(url, change)
    store = Store.open(url, patience_s=5.0)
    found = store.conditions()
    store.close()
    assert (len(found.shares), found.launched_at) == (32, NOW)


def _with_share(found, *, number):
    return replace(found, shares={**found.shares, f"test{number}": {"a": 1.0}})
