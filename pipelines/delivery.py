"""What became of the mails of the last seven days, for the complaint brake."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from features.acts import IS_ABOUT_EMAIL
from features.lake import Lake
from serving.store.complaints import WINDOW
from serving.store.store import Store

KINDS = ("send", "deliver", "complaint")


@dataclass(frozen=True)
class Delivery:
    """`complaints` (event_id, at) of seven days, and how many mails were `delivered` in them."""

    complaints: pl.DataFrame
    delivered: int


def delivery_of(lake: Lake, *, version: int, as_of: datetime) -> Delivery:
    """What the lake tells of the seven days before `as_of`.

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
    return Delivery(
        told.filter(pl.col("kind") == "complaint").select("event_id", "at"),
        delivered=many.get("deliver") or many.get("send") or 0,
    )


def keep_delivery(lake: Lake, store: Store, *, version: int, as_of: datetime) -> None:
    """Let it be in force from now on."""
    told = delivery_of(lake, version=version, as_of=as_of)
    store.keep_arrivals(told.complaints, delivered=told.delivered, as_of=as_of)
