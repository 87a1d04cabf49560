"""R6 and R7 on the road of what is told online: order, repetition and lateness of events."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import count

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as drawn
from hypothesis import strategies as st

from features.build import features_as_of
from serving.schemas.events import Event
from serving.store import Store
from serving.telling import as_told
from tests.features.text import customers as nobody
from tests.serving.store.rows import NOW

PEOPLE = 3
CASE = count()
BOUGHT = {"order_id": "o", "product_id": "pen", "amount": "7.5", "currency": "USD"}
KINDS = [
    {"kind": "view", "product_id": "mug"},
    {"kind": "cart_add", "product_id": "pen"},
    {"kind": "order", **BOUGHT},
    {"kind": "refund", **BOUGHT},
    {"kind": "consent", "reason": "granted"},
    {"kind": "unsubscribe"},
    {"kind": "send", "email": "welcome", "message_id": "m"},
    {"kind": "click", "email": "welcome", "message_id": "m"},
    {"kind": "complaint", "message_id": "m"},
]
TOLD = st.lists(
    st.tuples(st.integers(0, PEOPLE - 1), st.integers(0, len(KINDS) - 1), st.integers(0, 60 * 24)),
    min_size=1, max_size=25,
)  # fmt: skip


def lines(told, side):
    """Events of customers whom nobody else has: kind and hours ago for each."""
    return [
        Event(
            event_id=f"{side}|e{number}", customer_id=f"{side}|c{who}",
            at=NOW - timedelta(hours=1 + hours), **KINDS[kind],
        )
        for number, (who, kind, hours) in enumerate(told)
    ]  # fmt: skip


def tell(store, events):
    rows, broken = as_told(events, now=NOW)
    assert not broken
    return store.append_events(rows)


def described(store, side, feature_settings):
    """What a decision sees of them and what it makes of that, under names of no side."""
    ids = [f"{side}|c{who}" for who in range(PEOPLE)]
    seen = store.view_of(ids, now=NOW, settings=feature_settings).knowledge.history
    spine = pl.DataFrame({"customer_id": ids}).with_columns(as_of=pl.lit(NOW))
    features = features_as_of(seen, spine, nobody(), settings=feature_settings)
    plain = pl.col("customer_id").str.split("|").list.last()
    named = seen.with_columns(plain, pl.col("event_id").str.split("|").list.last())
    return named.sort("event_id"), features.with_columns(plain)


@pytest.mark.parametrize("cases", [30, pytest.param(500, marks=pytest.mark.long)])
def test_r6_repeated_and_in_any_order_is_as_once_and_in_order(tmp_path, settings, cases):
    store = Store.open(f"sqlite:///{tmp_path / 's.db'}", patience_s=5.0)
    told_twice = []

    @drawn(max_examples=cases, deadline=None, derandomize=True,
                           suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(told=TOLD, seed=st.integers(0, 2**32))
    def same(told, seed):
        dice, case = random.Random(seed), next(CASE)
        tell(store, lines(told, f"{case}a"))
        copies = [one for one in lines(told, f"{case}b") for _ in range(dice.randint(1, 5))]
        dice.shuffle(copies)
        told_twice.append(len(copies) > len(told))
        while copies:
            some = dice.randint(1, 10)
            tell(store, copies[:some])
            copies = copies[some:]
        once, often = (described(store, f"{case}{side}", settings) for side in "ab")
        assert once[0].height == len(told)
        assert often[0].equals(once[0]) and often[1].equals(once[1])

    same()
    assert sum(told_twice) > cases / 2
    store.close()


def test_r7_what_is_told_up_to_72_hours_late_counts_at_the_next_look(store, settings):
    for number, hours in enumerate((1, 24, 72)):
        before = described(store, "x", settings)[1]
        order = BOUGHT | {"kind": "order", "order_id": f"o{number}"}
        at = NOW - timedelta(hours=hours)
        tell(store, [Event(event_id=f"x|{number}", customer_id="x|c0", at=at, **order)])
        after = described(store, "x", settings)[1]
        assert after["orders"].to_list() == [number + 1, 0, 0]
        assert after.row(0) != before.row(0) and after.rows()[1:] == before.rows()[1:]
