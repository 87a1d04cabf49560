"""What the clocks on the customers' walls show, half hour by half hour over the whole period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.localtime import local_of
from pipelines.simulator.arrays import DAY, HOUR, Flags, Ints, micros

# Offsets from UTC change by whole half hours (India lies half an hour between two hours).
SLOT = HOUR // 2
SLOTS = DAY // SLOT
# Share of the customers: several continents, with and without summer time.
ZONES = {
    "America/New_York": 0.28,
    "America/Los_Angeles": 0.15,
    "Europe/London": 0.14,
    "Europe/Berlin": 0.12,
    "America/Sao_Paulo": 0.08,
    "Australia/Sydney": 0.07,
    "Asia/Tokyo": 0.06,
    "Asia/Kolkata": 0.06,
    "Africa/Lagos": 0.04,
}
SENDER = "America/New_York"


@dataclass(frozen=True)
class Clock:
    """Local hour and weekend by zone and half hour of UTC, from `first` (microseconds) on."""

    first: int
    hours: NDArray[np.uint8]  # zone x slot
    weekends: Flags  # zone x slot

    def hour(self, zone: Ints, at: Ints) -> Ints:
        """The local hour, 0 to 23, in each zone at its time."""
        return self.hours[zone, self._slot(at)].astype(np.int64)

    def is_weekend(self, zone: Ints, at: Ints) -> Ints:
        """1 on a local Saturday or Sunday, else 0: the place in a rhythm."""
        return self.weekends[zone, self._slot(at)].astype(np.int64)

    def when_it_is(self, hour: Ints, zone: Ints, day: int) -> Ints:
        """The start of that local hour within the UTC day that starts at `day`; the first one.

        On the day on which a zone's clocks skip the hour, the start of the day.
        """
        start = (day - self.first) // SLOT
        of_day = self.hours[:, start : start + SLOTS]
        found = np.argmax(of_day[zone] == hour[:, None], axis=1)
        start_of_hour: Ints = day + found * SLOT
        return start_of_hour

    def _slot(self, at: Ints) -> Ints:
        return (at - self.first) // SLOT


def clock_of(first: datetime, last: datetime) -> Clock:
    """The clocks of all zones from `first` to `last`."""
    start, end = micros(first), micros(last)
    slots = pl.Series(np.arange(start, end, SLOT)).cast(pl.Datetime("us", "UTC"))
    local = [local_of(slots, pl.Series([zone])) for zone in ZONES]
    return Clock(
        first=start,
        hours=np.stack([times.dt.hour().to_numpy().astype(np.uint8) for times in local]),
        weekends=np.stack([(times.dt.weekday() > 5).to_numpy() for times in local]),
    )
