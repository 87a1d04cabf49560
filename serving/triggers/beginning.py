"""Before the first order: who has just come, and who has not bought yet."""

from __future__ import annotations

import polars as pl

from serving.triggers.trigger import NOTHING_HAPPENED, Trigger
from serving.triggers.words import days, plural, whole

FAMILY = "Before the first order"
_HAS_NOT_ORDERED = pl.col("orders") == 0

WELCOME = Trigger(
    name="welcome",
    family=FAMILY,
    meaning="they signed up lately and have not ordered yet",
    parameters={"within_days": "days since signing up, at most"},
    applies=lambda p: (pl.col("days_since_signup") <= p["within_days"]) & _HAS_NOT_ORDERED,
    because=lambda p: pl.format(
        "they signed up {} ago and have not ordered yet", days(pl.col("days_since_signup"))
    ),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

FIRST_PURCHASE_NUDGE = Trigger(
    name="first_purchase_nudge",
    family=FAMILY,
    meaning="they signed up a while ago and have still not ordered",
    parameters={
        "after_days": "days since signing up, at least",
        "before_days": "days since signing up, at most",
    },
    applies=lambda p: (
        pl.col("days_since_signup").is_between(p["after_days"], p["before_days"]) & _HAS_NOT_ORDERED
    ),
    because=lambda p: pl.format(
        "they signed up {} ago and have still not ordered", days(pl.col("days_since_signup"))
    ),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

BRAND_STORY = Trigger(
    name="brand_story",
    family=FAMILY,
    meaning="they know of us and have neither ordered nor looked closely",
    parameters={
        "after_days": "days we have known them, at least",
        "views": "products viewed within 30 days, at most",
    },
    applies=lambda p: (
        (pl.col("known_days") >= p["after_days"])
        & (pl.col("views_30d") <= p["views"])
        & _HAS_NOT_ORDERED
    ),
    because=lambda p: pl.format(
        "we have known them for {}, and they have looked at {} in 30 days and ordered none",
        days(pl.col("known_days")),
        plural(whole(pl.col("views_30d")), "product", "products"),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

SOCIAL_PROOF = Trigger(
    name="social_proof",
    family=FAMILY,
    meaning="they came by, have not ordered, and may like to know what others say",
    parameters={"visits": "visits within 30 days, at least"},
    applies=lambda p: (pl.col("sessions_30d") >= p["visits"]) & _HAS_NOT_ORDERED,
    because=lambda p: pl.format(
        "{} in 30 days and no order yet",
        plural(whole(pl.col("sessions_30d")), "visit", "visits"),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

TRIGGERS = (WELCOME, FIRST_PURCHASE_NUDGE, BRAND_STORY, SOCIAL_PROOF)
