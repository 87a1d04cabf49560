"""What became of the mails of the last seven days, for the complaint brake."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from features.acts import IS_ABOUT_EMAIL
from features.lake import Lake
from serving.conditions import Conditions
from serving.store.complaints import WINDOW
from serving.store.store import Store

KINDS = ("send", "deliver", "complaint")


def keep_delivery(lake: Lake, store: Store, *, version: int | None, as_of: datetime) -> Conditions:
    """Count complaints and delivered mails of seven days and keep them; the conditions in force.

    Where the sender tells no deliveries, what was sent counts as delivered.
    """
    told = (
        lake.scan("events", version=version)
        .filter(
            pl.col("kind").is_in(KINDS),
            pl.col("at") > as_of - WINDOW,
            pl.col("at") <= as_of,
            pl.col("known_at") <= as_of,
            IS_ABOUT_EMAIL,
        )
        .select("event_id", "kind", "at")
        .collect()
    )
    many = dict(told.group_by("kind").len().iter_rows())
    return store.keep_delivery(
        told.filter(pl.col("kind") == "complaint"),
        delivered=many.get("deliver") or many.get("send") or 0,
        as_of=as_of,
    )
