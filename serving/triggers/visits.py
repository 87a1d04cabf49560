"""They answered or came back: a click, or a visit after a long absence, without an order yet."""

from __future__ import annotations

import polars as pl

from serving.triggers.trigger import Trigger
from serving.triggers.words import days, hours, plural, whole

FAMILY = "Clicks and visits"

CLICK_FOLLOWUP = Trigger(
    name="click_followup",
    family=FAMILY,
    meaning="they clicked in an e-mail and have not ordered since",
    parameters={
        "after_days": "days since the click, at least",
        "before_days": "days since the click, at most",
    },
    applies=lambda p: pl.col("open_click_days").is_between(p["after_days"], p["before_days"]),
    because=lambda p: pl.format(
        "they clicked in an e-mail {} ago and have not ordered since",
        days(pl.col("open_click_days")),
    ),
    since_hours=24 * pl.col("open_click_days"),
    picks="ranked",
)

SITE_RETURN = Trigger(
    name="site_return",
    family=FAMILY,
    meaning="they came back after a long absence and have not ordered",
    parameters={
        "away_days": "days they were away, at least",
        "within_hours": "hours since they came back, at most",
    },
    applies=lambda p: (
        (pl.col("days_away") >= p["away_days"])
        & (24 * pl.col("days_since_session") <= p["within_hours"])
        & (pl.col("days_since_session") < pl.col("days_since_order").fill_null(float("inf")))
    ),
    because=lambda p: pl.format(
        "they came back {} ago, after {} away",
        hours(24 * pl.col("days_since_session")),
        plural(whole(pl.col("days_away")), "day", "days"),
    ),
    since_hours=24 * pl.col("days_since_session"),
    picks="ranked",
)

TRIGGERS = (CLICK_FOLLOWUP, SITE_RETURN)
