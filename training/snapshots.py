"""When to look back at everybody: the moments from which models learn and by which they are judged.

A model is judged by moments after those it learnt from, never by rows drawn at random: the same
customer a month later is nearly the same row, and a random split would reward remembering it
(0.04 of AUC on real orders). Between the two lies an embargo: the last label that a model learns
from is complete before the first moment at which it is judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from features.errors import NotReadyError


@dataclass(frozen=True)
class Split:
    """Snapshot dates to train on and, later, to test on; each in order of time."""

    train: tuple[datetime, ...]
    test: tuple[datetime, ...]


def snapshot_dates(
    history: pl.DataFrame,
    *,
    known_until: datetime,
    horizon: timedelta,
    every: timedelta,
    train: int,
    test: int,
) -> Split:
    """The newest `test` dates whose labels are known, and up to `train` dates before the embargo.

    All at midnight UTC. Fewer training dates where the history is short; none: NotReadyError.
    """
    return dates_since(
        history.filter(pl.col("kind") == "order").get_column("at").min(),
        "order",
        known_until=known_until,
        horizon=horizon,
        every=every,
        train=train,
        test=test,
    )


def dates_since(
    first: object,
    what: str,
    *,
    known_until: datetime,
    horizon: timedelta,
    every: timedelta,
    train: int,
    test: int,
) -> Split:
    """`snapshot_dates` of whatever else there is to learn from: the first `what` was at `first`."""
    newest = known_until.replace(hour=0, minute=0, second=0, microsecond=0) - horizon
    tests = [newest - n * every for n in reversed(range(test))]
    trains = [tests[0] - horizon - n * every for n in reversed(range(train))]
    if isinstance(first, datetime):
        # Before there is one interval of history, nothing distinguishes one customer from another.
        trains = [date for date in trains if date >= first + every]
    if not isinstance(first, datetime) or not trains:
        needed = 2 * horizon + test * every
        raise NotReadyError(
            f"training needs {what}s of at least {needed.days} days before {known_until:%Y-%m-%d}; "
            f"found {_since(first, what, known_until)}; bring older {what}s in with `onje ingest`, "
            "or shorten horizon_days or every_days in the model's table of onje.toml"
        )
    return Split(train=tuple(trains), test=tuple(tests))


def spine_of(history: pl.DataFrame, dates: Iterable[datetime]) -> pl.DataFrame:
    """`customer_id`, `as_of`: at each date everybody who was then known to have ordered before."""
    orders = history.filter(pl.col("kind") == "order").select("customer_id", "at", "known_at")
    return pl.concat(
        orders.filter(pl.col("at") < date, pl.col("known_at") <= date)
        .select(pl.col("customer_id").unique().sort())
        .with_columns(as_of=pl.lit(date).cast(pl.Datetime("us", "UTC")))
        for date in dates
    )


def _since(first: object, what: str, known_until: datetime) -> str:
    if not isinstance(first, datetime):
        return f"no {what} at all"
    return f"the first one {(known_until - first).days} days before"
