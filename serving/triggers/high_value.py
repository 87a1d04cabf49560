"""For those who spend much: an offer of their own, the premium range."""

from __future__ import annotations

import polars as pl

from serving.triggers.trigger import NOTHING_HAPPENED, Trigger
from serving.triggers.words import days, money

FAMILY = "High value"

_SPEND = "money spent within a year, at least"

VIP_OFFER = Trigger(
    name="vip_offer",
    family=FAMILY,
    meaning="they spend much and have not ordered for a few days",
    parameters={"spend_365d": _SPEND, "silent_days": "days since the last order, at least"},
    applies=lambda p: (
        (pl.col("spend_365d") >= p["spend_365d"]) & (pl.col("days_since_order") >= p["silent_days"])
    ),
    because=lambda p: pl.format(
        "they spent {} within a year, and last ordered {} ago",
        money(pl.col("spend_365d")),
        days(pl.col("days_since_order")),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

PREMIUM_RANGE = Trigger(
    name="premium_range",
    family=FAMILY,
    meaning="they spend much and have a favourite category, whose best pieces they may like",
    parameters={"spend_365d": _SPEND, "basket_value": "money per order, at least"},
    applies=lambda p: (
        (pl.col("spend_365d") >= p["spend_365d"])
        & (pl.col("basket_value") >= p["basket_value"])
        & pl.col("favourite_category").is_not_null()
    ),
    because=lambda p: pl.format(
        "they spend {} an order, and most often buy {}",
        money(pl.col("basket_value")),
        pl.col("favourite_category"),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="premium",
)

TRIGGERS = (VIP_OFFER, PREMIUM_RANGE)
