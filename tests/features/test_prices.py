"""Prices seen: for one piece, when it was last seen with a price."""

from __future__ import annotations

import polars as pl

from features.past import past_of
from features.prices import prices_seen_of
from tests.features.text import SETTINGS, customers, history, spine

SEEN = history("""
    ann | 2024-03-01T12:00 | view     | product=mug | amount=20
    ann | 2024-03-05T12:00 | view     | product=mug
    ann | 2024-03-02T12:00 | cart_add | product=pen | amount=9 | quantity=3
    ann | 2024-03-03T12:00 | view     | product=cup | amount=5
    ann | 2024-03-04T12:00 | cart_add | product=cup | amount=4
    ann | 2024-03-04T12:00 | order    | product=hat | amount=50 | order=1
    ann | 2024-01-01T12:00 | view     | product=bag | amount=50
    bob | 2024-03-03T12:00 | view     | product=cup
    eve | 2024-03-03T12:00 | view     | product=cup | amount=7 | known_at=2024-04-01
""")


def _seen(*rows: tuple[str, str]) -> pl.DataFrame:
    past = past_of(
        SEEN, spine(*rows), customers(), default_timezone="UTC", limit=SETTINGS.newest_events
    )
    return prices_seen_of(past)


def test_the_price_of_one_piece_when_it_was_last_seen_with_a_price() -> None:
    seen = _seen(("ann", "2024-03-06T12:00")).select("product_id", "price_seen", "price_seen_days")
    assert sorted(seen.rows()) == [("cup", 4.0, 2.0), ("mug", 20.0, 5.0), ("pen", 3.0, 4.0)]


def test_what_had_no_price_or_was_not_known_yet_is_not_seen() -> None:
    none = _seen(("bob", "2024-03-06T12:00"), ("eve", "2024-03-06T12:00"), ("zoe", "2024-03-06"))
    assert none.is_empty()
    assert none.schema == _seen(("ann", "2024-03-06T12:00")).schema


def test_one_alone_is_as_in_the_crowd() -> None:
    both = _seen(("ann", "2024-03-06T11:59"), ("eve", "2024-05-01T00:00"), ("bob", "2024-03-06"))
    alone = _seen(("ann", "2024-03-06T11:59"))
    assert both.filter(pl.col("customer_id") == "ann").equals(alone)
