"""What they looked at or searched for, and did not buy."""

from __future__ import annotations

import polars as pl

from serving.triggers.trigger import NOTHING_HAPPENED, Trigger
from serving.triggers.words import days, hours, money, percent, plural, times, whole

FAMILY = "Looking around"

BROWSE_REMINDER = Trigger(
    name="browse_reminder",
    family=FAMILY,
    meaning="they looked at one product again and again and did not buy it",
    parameters={
        "views": "views of the product within 7 days, at least",
        "within_days": "days since they last looked at any product, at most",
    },
    applies=lambda p: (
        (pl.col("most_views_7d") >= p["views"]) & (pl.col("days_since_view") <= p["within_days"])
    ),
    because=lambda p: pl.format(
        "they looked at one product {} within 7 days and did not buy it",
        times(pl.col("most_views_7d")),
    ),
    since_hours=24 * pl.col("days_since_view"),
    picks="viewed",
)

SEARCH_FOLLOWUP = Trigger(
    name="search_followup",
    family=FAMILY,
    meaning="they searched and have bought nothing since",
    parameters={"within_hours": "hours since the search, at most"},
    applies=lambda p: pl.col("open_search_hours") <= p["within_hours"],
    because=lambda p: pl.format(
        "they searched {} ago and have bought nothing since", hours(pl.col("open_search_hours"))
    ),
    since_hours=pl.col("open_search_hours"),
    picks="searched",
)

PRICE_DROP = Trigger(
    name="price_drop",
    family=FAMILY,
    meaning="what they looked at, or put into a cart, has become cheaper",
    parameters={"share": "share of the price they saw by which it is cheaper now, at least"},
    applies=lambda p: pl.col("price_drop") >= p["share"],
    because=lambda p: pl.format(
        "a product they looked at {} ago for {} costs {} now, {} % less",
        days(pl.col("price_seen_days")),
        money(pl.col("price_seen")),
        money(pl.col("price_now")),
        percent(pl.col("price_drop")),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="dropped",
)

COMPARISON = Trigger(
    name="comparison",
    family=FAMILY,
    meaning="they look at several products and have not decided",
    parameters={"products": "different products viewed within 7 days and not bought, at least"},
    applies=lambda p: pl.col("unbought_views_7d") >= p["products"],
    because=lambda p: pl.format(
        "they looked at {} within 7 days and have not decided",
        plural(whole(pl.col("unbought_views_7d")), "product", "products"),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="viewed",
)

CASE_OR_TRIAL = Trigger(
    name="case_or_trial",
    family=FAMILY,
    meaning="they look closely at a kind of product; a story of use or a trial may help",
    parameters={
        "views": "products viewed within 7 days, at least",
        "seconds": "seconds spent on the site within 30 days, at least",
    },
    applies=lambda p: (
        (pl.col("views_7d") >= p["views"])
        & (pl.col("dwell_s_30d") >= p["seconds"])
        & pl.col("viewed_category_30d").is_not_null()
    ),
    because=lambda p: pl.format(
        "{} within 7 days, most of them in {}",
        plural(whole(pl.col("views_7d")), "view", "views"),
        pl.col("viewed_category_30d"),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="viewed",
)

TRIGGERS = (PRICE_DROP, BROWSE_REMINDER, SEARCH_FOLLOWUP, COMPARISON, CASE_OR_TRIAL)
