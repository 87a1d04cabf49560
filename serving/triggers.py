"""What makes an e-mail apply to a customer: a condition over features, and the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import polars as pl

Parameters: TypeAlias = Mapping[str, float]
Picks: TypeAlias = Literal["ranked", "category", "due", "cart", "bought"]


@dataclass(frozen=True)
class Trigger:
    """When an e-mail applies; all expressions read one row of features and churn per customer.

    `since_hours` is how long ago the thing happened that the e-mail answers to; its deadline
    counts from there. Null (or no such thing) means: the deadline counts from the question.
    """

    name: str
    meaning: str
    parameters: Mapping[str, str]
    applies: Callable[[Parameters], pl.Expr]
    because: Callable[[Parameters], pl.Expr]
    since_hours: pl.Expr
    picks: Picks


NOTHING_HAPPENED = pl.lit(None, pl.Float64)


def _whole(value: pl.Expr) -> pl.Expr:
    return value.round(0).cast(pl.Int64)


def _percent(share: pl.Expr) -> pl.Expr:
    return _whole(share * 100)


def _plural(count: pl.Expr, one: str, many: str) -> pl.Expr:
    return pl.format("{} {}", count, pl.when(count == 1).then(pl.lit(one)).otherwise(pl.lit(many)))


def _days(value: pl.Expr) -> pl.Expr:
    return _at_least_one(value, "day", "days", "less than a day")


def _hours(value: pl.Expr) -> pl.Expr:
    return _at_least_one(value, "hour", "hours", "less than an hour")


def _at_least_one(value: pl.Expr, one: str, many: str, less: str) -> pl.Expr:
    whole = value.floor().cast(pl.Int64)
    return pl.when(whole >= 1).then(_plural(whole, one, many)).otherwise(pl.lit(less))


def _overdue() -> pl.Expr:
    late = _whole(pl.col("days_since_order") - pl.col("order_gap_days_mean"))
    cycle = _whole(pl.col("order_gap_days_mean"))
    return (
        pl.when(late > 0)
        .then(pl.format("their usual {}-day cycle is {} overdue", cycle, _days(late)))
        .otherwise(pl.format("their usual {}-day cycle ends about now", cycle))
    )


def _gone() -> pl.Expr:
    silent = pl.format("no order for {}", _days(pl.col("days_since_order")))
    left = pl.format(
        "{}; the chance that they have left is {} %", silent, _percent(pl.col("churn"))
    )
    return pl.coalesce(left, silent)


WELCOME = Trigger(
    name="welcome",
    meaning="they signed up lately and have not ordered yet",
    parameters={"within_days": "days since signing up, at most"},
    applies=lambda p: (pl.col("days_since_signup") <= p["within_days"]) & (pl.col("orders") == 0),
    because=lambda p: pl.format(
        "they signed up {} ago and have not ordered yet", _days(pl.col("days_since_signup"))
    ),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

CART_REMINDER = Trigger(
    name="cart_reminder",
    meaning="a cart is open and has not been ordered",
    parameters={"within_hours": "hours since the cart was last touched, at most"},
    applies=lambda p: pl.col("cart_waiting_hours") <= p["within_hours"],
    because=lambda p: pl.format(
        "a cart of {} has waited for {}",
        _plural(_whole(pl.col("cart_items")), "product", "products"),
        _hours(pl.col("cart_waiting_hours")),
    ),
    since_hours=pl.col("cart_waiting_hours"),
    picks="cart",
)

REPLENISHMENT = Trigger(
    name="replenishment",
    meaning="they order in a rhythm, and the next order is due",
    parameters={
        "orders": "orders so far, at least",
        "from_share": "share of their own cycle that has passed, at least",
        "until_share": "share of their own cycle that has passed, at most",
    },
    applies=lambda p: (
        (pl.col("orders") >= p["orders"])
        & pl.col("silence_ratio").is_between(p["from_share"], p["until_share"])
    ),
    because=lambda p: _overdue(),
    since_hours=NOTHING_HAPPENED,
    picks="due",
)

COUPON_BY_CATEGORY = Trigger(
    name="coupon_by_category",
    meaning="they have a favourite category and have not bought in it for a while",
    parameters={
        "silent_days": "days since they last bought in it, at least",
        "share": "share of their purchases that fall in it, at least",
    },
    applies=lambda p: (
        (pl.col("days_since_favourite") >= p["silent_days"])
        & (pl.col("favourite_category_share") >= p["share"])
    ),
    because=lambda p: pl.format(
        "{} is {} % of what they buy, and they last bought there {} ago",
        pl.col("favourite_category"),
        _percent(pl.col("favourite_category_share")),
        _days(pl.col("days_since_favourite")),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="category",
)

REVIEW_REQUEST = Trigger(
    name="review_request",
    meaning="an order has had time to arrive and has no review yet",
    parameters={
        "after_days": "days since the order, at least",
        "before_days": "days since the order, at most",
    },
    applies=lambda p: pl.col("unreviewed_order_days").is_between(p["after_days"], p["before_days"]),
    because=lambda p: pl.format(
        "their order of {} ago has no review yet", _days(pl.col("unreviewed_order_days"))
    ),
    since_hours=NOTHING_HAPPENED,
    picks="bought",
)

WIN_BACK = Trigger(
    name="win_back",
    meaning="they used to order, have been silent and are likely to leave",
    parameters={
        "silent_days": "days since the last order, at least",
        "churn": "chance of leaving, at least (where a churn model stands)",
    },
    applies=lambda p: (
        (pl.col("days_since_order") >= p["silent_days"])
        & (pl.col("churn").fill_null(1.0) >= p["churn"])
    ),
    because=lambda p: _gone(),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

RECOMMENDATION = Trigger(
    name="recommendation",
    meaning="their taste is known from orders, and the last one is not of today",
    parameters={
        "orders": "orders so far, at least",
        "silent_days": "days since the last order, at least",
    },
    applies=lambda p: (
        (pl.col("orders") >= p["orders"]) & (pl.col("days_since_order") >= p["silent_days"])
    ),
    because=lambda p: pl.format(
        "{} their taste; the last was {} ago",
        _plural(_whole(pl.col("orders")), "order tells", "orders tell"),
        _days(pl.col("days_since_order")),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

TRIGGERS: Mapping[str, Trigger] = {
    trigger.name: trigger
    for trigger in (
        WELCOME,
        CART_REMINDER,
        REPLENISHMENT,
        COUPON_BY_CATEGORY,
        REVIEW_REQUEST,
        WIN_BACK,
        RECOMMENDATION,
    )
}
