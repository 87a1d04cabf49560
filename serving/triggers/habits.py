"""What they buy as a rule: their rhythm, their favourite category, their taste."""

from __future__ import annotations

import polars as pl

from serving.triggers.trigger import NOTHING_HAPPENED, Trigger
from serving.triggers.words import days, percent, plural, whole

FAMILY = "Habits and taste"


def _overdue() -> pl.Expr:
    late = whole(pl.col("days_since_order") - pl.col("order_gap_days_mean"))
    cycle = whole(pl.col("order_gap_days_mean"))
    return (
        pl.when(late > 0)
        .then(pl.format("their usual {}-day cycle is {} overdue", cycle, days(late)))
        .otherwise(pl.format("their usual {}-day cycle ends about now", cycle))
    )


REPLENISHMENT = Trigger(
    name="replenishment",
    family=FAMILY,
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
    family=FAMILY,
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
        percent(pl.col("favourite_category_share")),
        days(pl.col("days_since_favourite")),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="category",
)

RECOMMENDATION = Trigger(
    name="recommendation",
    family=FAMILY,
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
        plural(whole(pl.col("orders")), "order tells", "orders tell"),
        days(pl.col("days_since_order")),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

NEWSLETTER = Trigger(
    name="newsletter",
    family=FAMILY,
    meaning="they have heard nothing from us for a while",
    parameters={
        "quiet_days": "days since the last e-mail, at least; who never had one counts too",
        "known_days": "days we have known them, at least",
    },
    applies=lambda p: (
        (pl.col("days_since_send").fill_null(float("inf")) >= p["quiet_days"])
        & (pl.col("known_days") >= p["known_days"])
    ),
    because=lambda p: pl.coalesce(
        pl.format("our last e-mail to them was {} ago", days(pl.col("days_since_send"))),
        pl.lit("they have had no e-mail from us yet"),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

TRIGGERS = (REPLENISHMENT, COUPON_BY_CATEGORY, RECOMMENDATION, NEWSLETTER)
