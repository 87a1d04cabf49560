"""A feature is a value: its name, its meaning, and how it is found, which never sees a clock.

Readings (features/readings.py) sum up the past of one spine row. Time is `age`, the microseconds
from an event to `as_of`, always positive; sums run over integers, so that they are the same in any
order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import polars as pl

from features.lines import Reading

# What one line of the aggregated frame is (features/views.py): an act, a product, a category; or
# the spine row itself, which knows the customer's own columns and all features of the other three.
Grain: TypeAlias = Literal["acts", "products", "categories", "customer"]

DAY = 86_400_000_000  # microseconds, as `age`
HOUR = 3_600_000_000
CLOCK_RADIUS = 1_000_000  # a direction on the clock face has integer coordinates
MONEY = 10_000  # an amount of money is an integer number of ten-thousandths

# For plans that are written as they should run: to look for better ones takes longer than the run.
AS_WRITTEN = pl.QueryOptFlags.none()


@dataclass(frozen=True)
class Feature:
    """What is known of a customer at a moment, as one column of `features_as_of`."""

    name: str
    meaning: str
    # Of lines that are summed up; of the spine row itself, an expression.
    found_by: Reading | pl.Expr
    # What the feature is where nothing has happened yet: 0 for a count, null for "unknown".
    when_no_history: float | str | None
    grain: Grain


FeatureOf: TypeAlias = Callable[[str, str, Reading | pl.Expr, float | str | None], Feature]


_FOUND_BY: dict[Grain, str] = {
    **dict.fromkeys(get_args(Grain), "a reading of their lines (features/readings.py)"),
    "customer": "an expression over finished features",
}


def of(grain: Grain) -> FeatureOf:
    """The maker of features over one grain, under which a module lists its own."""

    def feature(
        name: str, meaning: str, found_by: Reading | pl.Expr, when_no_history: float | str | None
    ) -> Feature:
        if isinstance(found_by, Reading) == (grain == "customer"):
            raise TypeError(f"{name}: a feature of {grain} is found by {_FOUND_BY[grain]}")
        return Feature(name, meaning, found_by, when_no_history, grain)

    return feature


def per(number: pl.Expr, unit: float) -> pl.Expr:
    """`number / unit`, the same to the last bit for one row and for many.

    Polars divides a column by a constant as a product with the reciprocal, but a column of one row
    truly: half of all quotients then differ in the last bit. A divisor that is a column is safe.
    """
    return number / (number * 0 + unit)


def within(days: int) -> pl.Expr:
    """In the window [as_of - days, as_of)."""
    return pl.col("age") <= days * DAY


def happened(*kinds: str, days: int | None = None, where: pl.Expr | None = None) -> pl.Expr:
    """Whether an act is of one of these kinds, young enough, and as `where` says."""
    is_it = pl.col("kind") == kinds[0]
    for kind in kinds[1:]:
        is_it = is_it | (pl.col("kind") == kind)
    if days is not None:
        is_it = is_it & within(days)
    return is_it if where is None else is_it & where


def share(part: str, whole: str) -> pl.Expr:
    """One feature as a share of another, null where that one is nothing; for grain `customer`."""
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole))
