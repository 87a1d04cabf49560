"""Text into the types of EVENTS, as expressions; what cannot be read becomes null."""

from __future__ import annotations

import polars as pl

from pipelines.ingest.mapping import Condition, Time, Value

ZONED_FORMATS = ("%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M%z")
NAIVE_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
# Money rests as Decimal(18, 4), which has fourteen digits before the point.
TOO_MUCH_MONEY = 1e14
FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def column_text(column: str) -> pl.Expr:
    """A column without the blanks around it; what is then empty is null."""
    stripped = pl.col(column).str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def text(value: Value | None) -> pl.Expr:
    """The text of a value: its constant, its column, or what its column is looked up as."""
    if value is None:
        return pl.lit(None, dtype=pl.String)
    if value.column is None:
        return pl.lit(value.constant, dtype=pl.String)
    given = column_text(value.column)
    if value.values is None:
        return given
    return given.replace_strict(value.values, default=value.otherwise, return_dtype=pl.String)


def number(given: pl.Expr, *, decimal: str) -> pl.Expr:
    """Text as Float64; "nan" and "inf" are not numbers that anybody counted."""
    pointed = given if decimal == "." else given.str.replace_all(".", "", literal=True)
    value = pointed.str.replace(decimal, ".", literal=True).cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def money(amount: pl.Expr) -> pl.Expr:
    """Float64 as an amount of money, rounded to four places before it becomes a decimal.

    What has more digits than the decimal is null: a cast that overflows ends the whole file.
    """
    rounded = amount.round(4)
    fits = rounded.abs() < TOO_MUCH_MONEY
    return pl.when(fits).then(rounded).cast(pl.Decimal(18, 4), strict=False)


def flag(given: pl.Expr) -> pl.Expr:
    """true, 1, yes and their opposites, in any case, as Boolean."""
    return given.str.to_lowercase().replace_strict(FLAGS, default=None, return_dtype=pl.Boolean)


def moment(given: pl.Expr, time: Time) -> pl.Expr:
    """Text as UTC; without a zone it is local in `time.timezone`.

    An hour that the clocks went through twice is taken as the first; one that they skipped is null.
    """
    zoned: tuple[str, ...]
    naive: tuple[str, ...]
    if time.format is not None:
        zoned, naive = ((time.format,), ()) if "%z" in time.format else ((), (time.format,))
    else:
        given = given.str.replace("T", " ", literal=True).str.replace(r"Z$", "+00:00")
        zoned, naive = ZONED_FORMATS, NAIVE_FORMATS
    universal = [
        given.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False) for form in zoned
    ]
    local = [
        given.str.to_datetime(form, time_unit="us", strict=False)
        .dt.replace_time_zone(time.timezone, ambiguous="earliest", non_existent="null")
        .dt.convert_time_zone("UTC")
        for form in naive
    ]
    return pl.coalesce(*universal, *local)


def holds(condition: Condition, *, decimal: str) -> pl.Expr:
    """Whether a condition holds of a row; never null, what is missing matches nothing."""
    given = column_text(condition.column)
    value = number(given, decimal=decimal)
    if condition.missing is not None:
        return given.is_null() == condition.missing
    if condition.one_of is not None:
        return given.is_in(condition.one_of).fill_null(False)
    if condition.matches is not None:
        return given.str.contains(condition.matches).fill_null(False)
    if condition.at_most is not None:
        return (value <= condition.at_most).fill_null(False)
    return (value >= pl.lit(condition.at_least)).fill_null(False)
