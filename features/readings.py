"""What a row's lines say together: counts, sums, times since; the words that features are made of.

Each is written once and asked for by all features that read so. Where two lines would do, the
newer one is meant: `moment` leaves no ties.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from features.feature import DAY, HOUR, MONEY
from features.lines import NEVER, Floats, Ints, Lines, Mask, Reading, Than
from features.numbers import numbered, order_by, starts_of


def count(is_it: Mask) -> Reading:
    return Reading((is_it,), lambda lines: lines.counts(is_it).astype(np.float64))


def total(column: str | pl.Expr, is_it: Mask, *, unit: float) -> Reading:
    """The sum of an integer column over the lines that are it, in units of `unit`."""
    number = (pl.col(column) if isinstance(column, str) else column).fill_null(0)
    return Reading((number, is_it), lambda lines: lines.sums(lines.numbers(number), is_it) / unit)


def money(column: str, is_it: Mask) -> Reading:
    """The sum of a column of money over the acts that are it; 0 where there are none.

    Null where there are some, but the amount of none is known: not known is not nothing.
    """
    number, is_known = pl.col(column).fill_null(0), pl.col("amount").is_not_null()

    def read(lines: Lines) -> Floats:
        sums = lines.sums(lines.numbers(number), is_it) / MONEY
        places = lines.places(is_it)
        if len(places):
            unknown = np.zeros(lines.rows, dtype=np.bool_)
            unknown[lines.row[places]] = True
            unknown[lines.row[places[lines.series(is_known).to_numpy()[places]]]] = False
            sums[unknown] = np.nan
        return sums

    return Reading((number, is_known, is_it), read)


def days_since_last(is_it: Mask) -> Reading:
    """Days (with fractions) since the newest act that is it; null if there is none."""
    return Reading((is_it,), lambda lines: spans(lines.youngest(is_it), DAY))


def hours_since_last(is_it: Mask) -> Reading:
    return Reading((is_it,), lambda lines: spans(lines.youngest(is_it), HOUR))


def days_since_first(is_it: Mask) -> Reading:
    return Reading((is_it,), lambda lines: spans(lines.oldest(is_it), DAY))


def is_since(is_it: pl.Expr, last: pl.Expr) -> Than:
    """Whether an act is it and newer than the newest act that is `last`."""
    return Than(is_it, last, lambda age, newest: age < newest)


def share_of_acts(part: pl.Expr, is_it: pl.Expr) -> Reading:
    """The share of the acts that are it for which `part` holds, null where none is."""
    both = is_it & part
    return Reading((is_it, both), lambda lines: shares(lines.counts(both), lines.counts(is_it)))


def latest(column: str, is_it: pl.Expr, *, unit: float) -> Reading:
    """The number at the newest act that is it and has one, in units of `unit`."""
    return of_last(column, is_it & pl.col(column).is_not_null(), unit=unit)


def of_last(column: str, is_it: Mask, *, unit: float) -> Reading:
    """The number at the newest act that is it, null where that one has none."""
    number, is_told = pl.col(column).fill_null(0), pl.col(column).is_not_null()

    def read(lines: Lines) -> Floats:
        place = lines.newest(is_it)
        told = np.append(lines.series(is_told).to_numpy(), False)[place]
        return np.where(told, np.append(lines.numbers(number), 0)[place] / unit, np.nan)

    return Reading((number, is_told, is_it), read)


def different(column: str, is_it: Mask) -> Reading:
    """How many different numbers, or days, the lines that are it have; null is one, too."""
    number = pl.col(column).to_physical().fill_null(-1)

    def read(lines: Lines) -> Floats:
        places = lines.places(is_it)
        row, told = lines.row[places], lines.numbers(number)[places]
        by = np.lexsort((told, row))
        row, told = row[by], told[by]
        each = np.bincount(row[starts_of(row, told)], minlength=lines.rows)
        return each.astype(np.float64)

    return Reading((number, is_it), read)


def most_common(column: str, is_it: pl.Expr) -> Reading:
    """The commonest text over the acts that are it; of equally common ones the first in order."""
    text, has_one = pl.col(column), is_it & pl.col(column).is_not_null()

    def read(lines: Lines) -> pl.Series:
        places = lines.places(has_one)
        if not len(places):
            return no_texts(lines.rows)
        number, names = numbered(lines.series(text)[places])
        commonest = _commonest(lines.row[places], number, len(names), lines.rows)
        return text_at(names, commonest)

    return Reading((text, has_one), read)


def most_common_number(column: str, is_it: pl.Expr, *, below: int) -> Reading:
    """The commonest number, from 0 on, over the acts that are it; of equals the least."""
    number, has_one = pl.col(column).fill_null(0), is_it & pl.col(column).is_not_null()

    def read(lines: Lines) -> Floats:
        places = lines.places(has_one)
        numbers = lines.numbers(number)[places]
        found = _commonest(lines.row[places], numbers, below, lines.rows)
        return np.where(found >= 0, found, np.nan)

    return Reading((number, has_one), read)


def text_at(texts: pl.Series, places: Ints) -> pl.Series:
    """The text at each place, null at -1."""
    is_none = places < 0
    if is_none.all():
        return no_texts(len(places))
    found = texts[np.maximum(places, 0)]
    return found.set(pl.Series(is_none), None) if is_none.any() else found


def no_texts(rows: int) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, rows)


def spans(ages: Ints, unit: int) -> Floats:
    """Ages in units of `unit`, NaN for NEVER."""
    return np.where(ages == NEVER, np.nan, ages / unit)


def shares(part: Ints, whole: Ints) -> Floats:
    """NaN where the whole is nothing."""
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _commonest(row: Ints, number: Ints, below: int, rows: int) -> Ints:
    """The number that stands most often in each row, the least of equals; -1 where none does."""
    by = order_by((row, rows), (number, below))
    starts = np.flatnonzero(starts_of(row[by], number[by]))
    row, number = row[by][starts], number[by][starts]
    times = np.diff(starts, append=len(by))
    by = np.lexsort((-number, times, row))  # of one row, the commonest is written last
    commonest = np.full(rows, -1)
    commonest[row[by]] = number[by]
    return commonest
