"""Days that are theirs: the birthday, the anniversary of the sign-up."""

from __future__ import annotations

import polars as pl

from serving.triggers.trigger import NOTHING_HAPPENED, Trigger
from serving.triggers.words import in_days, plural, whole

FAMILY = "Days of theirs"

BIRTHDAY = Trigger(
    name="birthday",
    family=FAMILY,
    meaning="their birthday is near",
    parameters={"before_days": "days until the birthday, at most; 0 = on the day"},
    applies=lambda p: pl.col("days_to_birthday") <= p["before_days"],
    because=lambda p: pl.format("their birthday is {}", in_days(pl.col("days_to_birthday"))),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

SIGNUP_ANNIVERSARY = Trigger(
    name="signup_anniversary",
    family=FAMILY,
    meaning="the anniversary of their sign-up is near",
    parameters={"before_days": "days until the anniversary, at most; 0 = on the day"},
    applies=lambda p: pl.col("days_to_signup_anniversary") <= p["before_days"],
    because=lambda p: pl.format(
        "it is {} that they will have been with us for {}",
        in_days(pl.col("days_to_signup_anniversary")),
        plural(whole(pl.col("anniversary_years")), "year", "years"),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="ranked",
)

TRIGGERS = (BIRTHDAY, SIGNUP_ANNIVERSARY)
