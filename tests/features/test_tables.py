"""A contract names every fault, and loses nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from features.errors import DataError
from features.tables import CUSTOMERS, EVENTS, PRODUCTS, SPINE
from tests.features.text import when

AT = when("2024-05-01T09:00")


def _event(**said: Any) -> dict[str, Any]:
    return {
        "event_id": "e1",
        "customer_id": "ann",
        "at": AT,
        "known_at": AT,
        "kind": "view",
        "channel": "web",
        "source": "test",
    } | said


def _frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"event_id": None}, "event_id is missing"),
        ({"customer_id": ""}, "customer_id is empty"),
        ({"customer_id": "a" * 256}, "customer_id is too long"),
        ({"customer_id": "a\0b"}, "ids hold no nul"),
        ({"kind": "purchase"}, "kind is not one of signup"),
        ({"at": AT + timedelta(seconds=1)}, "it did not happen in the future"),
        (
            {"kind": "order", "amount": "1", "currency": "USD"},
            "an order line has amount and order id",
        ),
        ({"kind": "order", "order_id": "o"}, "an order line has amount and order id"),
        ({"kind": "refund"}, "a refund has an amount"),
        ({"amount": "1"}, "money is not negative and has a currency"),
        ({"amount": "-1", "currency": "USD"}, "money is not negative and has a currency"),
        ({"amount": "1,50", "currency": "USD"}, "amount is not an amount of money"),
        ({"amount": "1", "currency": "usd"}, "currency is not written as it should be"),
        ({"quantity": 0.0}, "a quantity is positive and finite"),
        ({"quantity": float("nan")}, "quantity is not a number"),
        ({"duration_s": float("inf")}, "duration_s is not finite"),
        ({"duration_s": -1.0}, "a duration is not negative and finite"),
        ({"kind": "consent"}, "consent says which way"),
        ({"kind": "consent", "reason": "maybe"}, "consent says which way"),
        ({"kind": "bounce"}, "a bounce is hard or soft"),
        ({"source": None}, "source is missing"),
    ],
)
def test_every_rule_of_events(said: dict[str, Any], reason: str) -> None:
    given = _frame(_event(**said), _event(event_id="good"))
    split = EVENTS.split(given)
    assert split.accepted["event_id"].to_list() == ["good"]
    assert reason in split.rejected["reason"].item()
    with pytest.raises(DataError, match="events breaks its contract"):
        EVENTS.check(given)


def test_all_faults_are_named_at_once_with_their_counts() -> None:
    given = _frame(_event(source=None), _event(source=None, quantity=-1.0), _event())
    with pytest.raises(DataError, match=r"quantity.*\(1 rows\).*source is missing \(2 rows\)"):
        EVENTS.check(given)


def test_the_halves_add_up_whatever_comes() -> None:
    odd = [None, "", "x", "ann"]
    rows = [
        _event(event_id=a, customer_id=b, kind=c, amount=d)
        for a in odd
        for b in odd
        for c in (None, "order", "view", "nonsense")
        for d in (None, "1", "minus one")
    ]
    split = EVENTS.split(_frame(*rows))
    assert split.accepted.height + split.rejected.height == len(rows)
    assert 0 < split.accepted.height < len(rows)
    assert split.rejected["reason"].str.len_chars().min() > 0
    assert EVENTS.check(split.accepted).equals(split.accepted)


def test_a_rejected_row_is_kept_as_it_was_given() -> None:
    given = _frame(_event(kind="consent", reason="maybe", shoe_size=41))
    rejected = EVENTS.split(given).rejected
    assert rejected["given_reason"].item() == "maybe"
    assert rejected["shoe_size"].item() == 41
    assert rejected.select(given.drop("reason").columns).equals(given.drop("reason"))


def test_a_column_may_have_any_name() -> None:
    given = _frame(_event(row=7, place=1), _event(row=7, place=2, source=None), _event(row=9))
    split = EVENTS.split(given)
    assert split.rejected.select("row", "place", "reason").rows() == [(7, 2, "source is missing")]
    assert split.accepted.height == 2 and "row" not in split.accepted.columns
    assert EVENTS.check(given[[0, 2]]).equals(split.accepted)
    with pytest.raises(DataError, match=r"source is missing \(1 rows\)"):
        EVENTS.check(given)


def test_unknown_columns_move_into_attributes_beside_what_was_there() -> None:
    given = _frame(_event(shoe_size=41), _event(shoe_size=42, attributes='{"hat": "red"}'))
    shaped = EVENTS.shape(given)
    assert shaped.columns == EVENTS.columns
    assert shaped["attributes"].str.json_decode(
        pl.Struct({"hat": pl.String, "shoe_size": pl.Int64})
    ).to_list() == [
        {"hat": None, "shoe_size": 41},
        {"hat": "red", "shoe_size": 42},
    ]
    with pytest.raises(DataError, match="spine has no column shoe_size; drop or rename it"):
        SPINE.shape(pl.DataFrame({"customer_id": ["a"], "as_of": [AT], "shoe_size": [41]}))


def test_a_time_without_a_zone_is_nobodys_time() -> None:
    naive = _frame(_event(at=AT.replace(tzinfo=None)))
    assert "at is not a time with a time zone" in EVENTS.split(naive).rejected["reason"].item()


def test_times_of_other_zones_and_units_are_the_same_moment_in_utc() -> None:
    in_seoul = _frame(_event()).with_columns(
        pl.col("at").dt.convert_time_zone("Asia/Seoul").dt.cast_time_unit("ms")
    )
    assert EVENTS.check(in_seoul)["at"].item() == AT


def test_an_empty_frame_is_a_table_too() -> None:
    for table in (EVENTS, CUSTOMERS, PRODUCTS):
        empty = table.schema.create_empty()
        assert table.check(empty).equals(empty)
        assert table.split(empty).rejected.is_empty()
