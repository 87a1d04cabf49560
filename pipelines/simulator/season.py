"""The shop's year: weeks in which people buy more, and days counted in average ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.simulator.arrays import DAY, Floats, Ints

# How much more is bought in the best weeks of a quiet year, and before Christmas.
SWING, CHRISTMAS = 0.10, 0.7
# The day of the year on which that is at its height, and how many days it lasts either side.
CHRISTMAS_DAY, CHRISTMAS_WIDTH = 343.0, 13.0
YEAR = 365.25


@dataclass(frozen=True)
class Season:
    """`passed` counts, for each day from `first` (microseconds) on, the average days so far."""

    first: int
    passed: Floats

    def counted(self, at: Ints) -> Floats:
        """Average days from `first` to those times; a December day counts more than one."""
        days = (at - self.first) / DAY
        return np.interp(days, np.arange(len(self.passed)), self.passed)

    def at(self, counted: Floats) -> Ints:
        """The times at which so many average days have passed."""
        days = np.interp(counted, self.passed, np.arange(len(self.passed)))
        return (self.first + days * DAY).astype(np.int64)


def season_of(first: int, last: int) -> Season:
    """The season of the days from `first` to `last` (microseconds)."""
    days = np.arange(first // DAY, last // DAY + 1) % YEAR
    factor = (
        1
        + SWING * np.sin(2 * np.pi * (days - 60) / YEAR)
        + CHRISTMAS * np.exp(-(((days - CHRISTMAS_DAY) / CHRISTMAS_WIDTH) ** 2))
    )
    return Season(first=first, passed=np.concatenate([[0.0], np.cumsum(factor)]))
