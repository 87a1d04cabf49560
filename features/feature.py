"""A feature is a value: its name, its meaning, and an expression that never sees a clock.

Expressions are aggregated over the past of one spine row. Time is `age`, the microseconds from an
event to `as_of`, always positive; sums run over integers, so that they are the same in any order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import polars as pl

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
    expression: pl.Expr
    # What the feature is where nothing has happened yet: 0 for a count, null for "unknown".
    when_no_history: float | str | None
    grain: Grain


FeatureOf: TypeAlias = Callable[[str, str, pl.Expr, float | str | None], Feature]


def of(grain: Grain) -> FeatureOf:
    """The maker of features over one grain, under which a module lists its own."""

    def feature(
        name: str, meaning: str, expression: pl.Expr, when_no_history: float | str | None
    ) -> Feature:
        return Feature(name, meaning, expression, when_no_history, grain)

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


def count(is_it: pl.Expr) -> pl.Expr:
    return is_it.sum().cast(pl.Float64)


def total(column: str, is_it: pl.Expr, *, unit: int) -> pl.Expr:
    """The sum of an integer column over the acts that are it, in units of `unit`."""
    return per(pl.when(is_it).then(column).sum(), unit)


def money(column: str, is_it: pl.Expr) -> pl.Expr:
    """The sum of a column of money over the acts that are it; 0 where there are none.

    Null where there are some, but the amount of none is known: not known is not nothing.
    """
    is_known = is_it & pl.col("amount").is_not_null()
    return pl.when(is_known.any() | ~is_it.any()).then(total(column, is_it, unit=MONEY))


def days_since_last(is_it: pl.Expr) -> pl.Expr:
    """Days (with fractions) since the newest act that is it; null if there is none."""
    return per(_age_of_last(is_it), DAY)


def hours_since_last(is_it: pl.Expr) -> pl.Expr:
    return per(_age_of_last(is_it), HOUR)


def days_since_first(is_it: pl.Expr) -> pl.Expr:
    return per(pl.when(is_it).then("age").max(), DAY)


def is_since(is_it: pl.Expr, last: pl.Expr) -> pl.Expr:
    """Whether an act is it and newer than the newest act that is `last`."""
    return is_it & (pl.col("age") < _age_of_last(last).fill_null(pl.lit(2**62)))


def share(part: str, whole: str) -> pl.Expr:
    """One feature as a share of another, null where that one is nothing; for grain `customer`."""
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole))


def share_of_acts(part: pl.Expr, is_it: pl.Expr) -> pl.Expr:
    """The share of the acts that are it for which `part` holds, null where none is."""
    return pl.when(is_it).then(part).mean()


def latest(column: str, is_it: pl.Expr) -> pl.Expr:
    """The value at the newest act that is it and has one; ties go by event id."""
    has_one = is_it & pl.col(column).is_not_null()
    return pl.col(column).filter(has_one).max_by(pl.col("moment").filter(has_one))


def of_last(column: str, is_it: pl.Expr) -> pl.Expr:
    """The value at the newest act that is it, null where that one has none; ties go by event id."""
    return pl.col(column).filter(is_it).max_by(pl.col("moment").filter(is_it))


def most_common(column: str, is_it: pl.Expr) -> pl.Expr:
    """The commonest value over the acts that are it; of equally common ones the first in order."""
    return pl.col(column).filter(is_it & pl.col(column).is_not_null()).mode().min()


def _age_of_last(is_it: pl.Expr) -> pl.Expr:
    return pl.when(is_it).then("age").min()
