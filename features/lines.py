"""The lines of many rows, by row and from old to new, and how each row's are summed up.

A query of a frame plans every column anew, which costs a live request of a few hundred lines more
than all of its sums. So whatever is asked of single lines is asked in one query (`needs`), and
summed up here by the places of lines: for one customer and for a night by the same lines of code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
NEVER = 2**62


@dataclass(frozen=True, eq=False)
class Than:
    """The lines of `these` whose age `holds` beside that of the newest of `those` of their row
    (NEVER where it has none)."""

    these: pl.Expr
    those: pl.Expr
    holds: Callable[[Ints, Ints], NDArray[np.bool_]]


# Which lines are meant: a null means not this one.
Mask: TypeAlias = pl.Expr | Than


@dataclass(frozen=True, eq=False)
class Reading:
    """What the lines of each row say together.

    `read` gives one value per row, NaN or null where there is none. It may ask the lines for
    whatever stands in `needs`: masks, and expressions over single lines.
    """

    needs: tuple[Mask, ...]
    read: Callable[[Lines], Floats | pl.Series]


@dataclass(frozen=True, eq=False)
class Needs:
    """All that some readings ask of single lines: each expression once, found by its `id`."""

    expressions: tuple[pl.Expr, ...]
    number_of: Mapping[int, int]


def needs_of(readings: Iterable[Reading]) -> Needs:
    """What is asked in other words, but is the same, is asked once."""
    numbers: dict[bytes, int] = {}
    expressions: list[pl.Expr] = []
    number_of = {}
    for reading in readings:
        for need in reading.needs:
            for expression in (need.these, need.those) if isinstance(need, Than) else (need,):
                told = expression.meta.serialize()
                if told not in numbers:
                    expressions.append(expression.alias(str(len(numbers))))
                number_of[id(expression)] = numbers.setdefault(told, len(numbers))
    return Needs(tuple(expressions), number_of)


@dataclass(frozen=True, eq=False)
class Lines:
    """`frame` (with `row`, below `rows`) by row and, where it has an `age`, from old to new."""

    frame: pl.DataFrame
    rows: int
    needs: Needs
    found: dict[int, Ints] = field(default_factory=dict)

    @cached_property
    def row(self) -> Ints:
        return self.frame.get_column("row").to_numpy().astype(np.int64)

    @cached_property
    def age(self) -> Ints:
        ages: Ints = self.frame.get_column("age").to_numpy()
        return ages

    @cached_property
    def asked(self) -> pl.DataFrame:
        return self.frame.select(self.needs.expressions)

    @cached_property
    def is_nobody(self) -> NDArray[np.bool_]:
        """Which rows have no line at all."""
        is_nobody: NDArray[np.bool_] = np.bincount(self.row, minlength=self.rows) == 0
        return is_nobody

    def series(self, need: pl.Expr) -> pl.Series:
        return self.asked.to_series(self.needs.number_of[id(need)])

    def numbers(self, need: pl.Expr) -> Ints:
        """Whole numbers, or days, of all lines, which must have one each."""
        numbers: Ints = self.series(need).to_numpy().astype(np.int64)
        return numbers

    def places(self, mask: Mask) -> Ints:
        """The places of the lines that are meant, rising."""
        if isinstance(mask, Than):
            these = self.places(mask.these)
            if not len(these):
                return these
            newest = self.youngest(mask.those)[self.row[these]]
            return these[mask.holds(self.age[these], newest)]
        number = self.needs.number_of[id(mask)]
        if number not in self.found:
            is_it = self.asked.to_series(number)
            if is_it.null_count():
                is_it = is_it.fill_null(False)
            self.found[number] = np.flatnonzero(is_it.to_numpy())
        return self.found[number]

    def counts(self, mask: Mask) -> Ints:
        return np.bincount(self.row[self.places(mask)], minlength=self.rows)

    def sums(self, numbers: Ints, mask: Mask) -> Ints:
        """The sum over the lines that are meant."""
        places = self.places(mask)
        sums = np.zeros(self.rows, dtype=np.int64)
        if len(places):
            np.add.at(sums, self.row[places], numbers[places])
        return sums

    def greatest(self, numbers: Ints, mask: Mask, *, where_none: int) -> Ints:
        places = self.places(mask)
        greatest = np.full(self.rows, where_none)
        if len(places):
            np.maximum.at(greatest, self.row[places], numbers[places])
        return greatest

    def youngest(self, mask: Mask) -> Ints:
        """The age of the newest line that is meant, NEVER where there is none."""
        places = self.places(mask)
        ages = np.full(self.rows, NEVER)
        ages[self.row[places]] = self.age[places]  # of one row, the newest is written last
        return ages

    def oldest(self, mask: Mask) -> Ints:
        """The age of the oldest line that is meant, NEVER where there is none."""
        places = self.places(mask)[::-1]
        ages = np.full(self.rows, NEVER)
        ages[self.row[places]] = self.age[places]
        return ages

    def newest(self, mask: Mask) -> Ints:
        """The place of the newest line that is meant, -1 where there is none."""
        places = self.places(mask)
        newest = np.full(self.rows, -1)
        newest[self.row[places]] = places
        return newest
