"""After an order: thanks, help with what came, what goes with it, and a review."""

from __future__ import annotations

import polars as pl

from serving.triggers.trigger import NOTHING_HAPPENED, Trigger
from serving.triggers.words import days, hours, money

FAMILY = "After an order"

_AFTER_DAYS = {
    "after_days": "days since the order, at least",
    "before_days": "days since the order, at most",
}

PURCHASE_THANKS = Trigger(
    name="purchase_thanks",
    family=FAMILY,
    meaning="they have just ordered",
    parameters={"within_hours": "hours since the order, at most"},
    applies=lambda p: 24 * pl.col("days_since_order") <= p["within_hours"],
    because=lambda p: pl.coalesce(
        pl.format(
            "they ordered for {} {} ago",
            money(pl.col("last_order_value")),
            hours(24 * pl.col("days_since_order")),
        ),
        pl.format("they ordered {} ago", hours(24 * pl.col("days_since_order"))),
    ),
    since_hours=24 * pl.col("days_since_order"),
    picks="bought",
)

USAGE_TIPS = Trigger(
    name="usage_tips",
    family=FAMILY,
    meaning="what they ordered has arrived and is being tried out",
    parameters=_AFTER_DAYS,
    applies=lambda p: pl.col("days_since_order").is_between(p["after_days"], p["before_days"]),
    because=lambda p: pl.format(
        "what they ordered {} ago is being tried out", days(pl.col("days_since_order"))
    ),
    since_hours=NOTHING_HAPPENED,
    picks="bought",
)

RELATED_PRODUCTS = Trigger(
    name="related_products",
    family=FAMILY,
    meaning="something goes with what they ordered",
    parameters=_AFTER_DAYS,
    applies=lambda p: pl.col("days_since_order").is_between(p["after_days"], p["before_days"]),
    because=lambda p: pl.format(
        "some products go with what they ordered {} ago", days(pl.col("days_since_order"))
    ),
    since_hours=NOTHING_HAPPENED,
    picks="related",
)

REVIEW_REQUEST = Trigger(
    name="review_request",
    family=FAMILY,
    meaning="an order has had time to arrive and has no review yet",
    parameters=_AFTER_DAYS,
    applies=lambda p: pl.col("unreviewed_order_days").is_between(p["after_days"], p["before_days"]),
    because=lambda p: pl.format(
        "their order of {} ago has no review yet", days(pl.col("unreviewed_order_days"))
    ),
    since_hours=NOTHING_HAPPENED,
    picks="bought",
)

TRIGGERS = (PURCHASE_THANKS, USAGE_TIPS, REVIEW_REQUEST, RELATED_PRODUCTS)
