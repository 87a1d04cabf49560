"""Figures of a customer as people say them."""

from __future__ import annotations

import polars as pl


def whole(value: pl.Expr) -> pl.Expr:
    return value.round(0).cast(pl.Int64)


def percent(share: pl.Expr) -> pl.Expr:
    return whole(share * 100)


def plural(count: pl.Expr, one: str, many: str) -> pl.Expr:
    return pl.format("{} {}", count, pl.when(count == 1).then(pl.lit(one)).otherwise(pl.lit(many)))


def times(count: pl.Expr) -> pl.Expr:
    return plural(whole(count), "time", "times")


def days(value: pl.Expr) -> pl.Expr:
    return _at_least_one(value, "day", "days", "less than a day")


def hours(value: pl.Expr) -> pl.Expr:
    return _at_least_one(value, "hour", "hours", "less than an hour")


def in_days(value: pl.Expr) -> pl.Expr:
    """ "today", "tomorrow" or "in 3 days", of whole days ahead."""
    ahead = whole(value)
    return (
        pl.when(ahead == 0)
        .then(pl.lit("today"))
        .when(ahead == 1)
        .then(pl.lit("tomorrow"))
        .otherwise(pl.format("in {} days", ahead))
    )


def money(value: pl.Expr) -> pl.Expr:
    """With two digits after the point: 12.50."""
    cents = whole(value * 100)
    after = (cents % 100).cast(pl.String).str.zfill(2)
    return pl.format("{}.{}", cents // 100, after)


def _at_least_one(value: pl.Expr, one: str, many: str, less: str) -> pl.Expr:
    floor = value.floor().cast(pl.Int64)
    return pl.when(floor >= 1).then(plural(floor, one, many)).when(floor < 1).then(pl.lit(less))
