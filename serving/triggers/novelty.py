"""Something new on the shelf, in a category they look at or like."""

from __future__ import annotations

import polars as pl

from serving.triggers.trigger import NOTHING_HAPPENED, Trigger
from serving.triggers.words import days

FAMILY = "New on the shelf"

NEW_SIMILAR = Trigger(
    name="new_similar",
    family=FAMILY,
    meaning="there is a new product of the category that they look at",
    parameters={"within_days": "days since the product came out, at most"},
    applies=lambda p: pl.col("new_viewed_days") <= p["within_days"],
    because=lambda p: pl.format(
        "they look at {}, where something new came out {} ago",
        pl.col("viewed_category_30d"),
        days(pl.col("new_viewed_days")),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="new_similar",
)

NEW_IN_FAVOURITE = Trigger(
    name="new_in_favourite",
    family=FAMILY,
    meaning="there is a new product of their favourite category",
    parameters={
        "within_days": "days since the product came out, at most",
        "share": "share of their purchases that fall in the category, at least",
    },
    applies=lambda p: (
        (pl.col("new_favourite_days") <= p["within_days"])
        & (pl.col("favourite_category_share") >= p["share"])
    ),
    because=lambda p: pl.format(
        "something new came out {} ago in {}, their favourite category",
        days(pl.col("new_favourite_days")),
        pl.col("favourite_category"),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="new_favourite",
)

TRIGGERS = (NEW_IN_FAVOURITE, NEW_SIMILAR)
