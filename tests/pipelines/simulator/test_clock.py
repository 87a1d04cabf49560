"""The customers' clocks, also on the days on which they are changed."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from pipelines.simulator.arrays import HOUR, micros
from pipelines.simulator.clock import SLOT, ZONES, clock_of

FIRST, LAST = datetime(2025, 9, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
CLOCK = clock_of(FIRST, LAST)
PLACES = list(ZONES)


@pytest.mark.parametrize(
    ("zone", "midnight", "hours"),
    [
        ("America/New_York", "2025-11-02T04:00", 25),
        ("America/New_York", "2026-03-08T05:00", 23),
        ("Europe/Berlin", "2025-10-25T22:00", 25),
        ("Europe/Berlin", "2026-03-28T23:00", 23),
        ("Australia/Sydney", "2025-10-04T14:00", 23),
        ("Australia/Sydney", "2026-04-04T13:00", 25),
        ("Asia/Tokyo", "2026-03-28T15:00", 24),
    ],
)
def test_a_day_has_23_or_25_hours_when_the_clocks_change(zone, midnight, hours):
    start = micros(datetime.fromisoformat(midnight).replace(tzinfo=UTC))
    at = start + np.arange(hours) * HOUR
    place = np.full(hours, PLACES.index(zone))
    shown = CLOCK.hour(place, at)
    assert shown[0] == 0
    assert shown[-1] == 23
    next_day = CLOCK.hour(place[:1], np.array([start + hours * HOUR]))
    assert next_day[0] == 0
    expected = {23: 1, 24: 0, 25: 1}[hours]
    once = Counter(Counter(shown.tolist()).values())
    assert once[1] == 24 - expected


def test_half_hours_count_where_clocks_show_them():
    at = np.array([micros(datetime(2026, 3, 4, 3, 15, tzinfo=UTC)), micros(FIRST) + SLOT])
    kolkata = np.full(2, PLACES.index("Asia/Kolkata"))
    assert CLOCK.hour(kolkata, at).tolist() == [8, 6]


def test_the_weekend_is_that_of_the_place():
    saturday = np.array([micros(datetime(2026, 3, 7, 3, tzinfo=UTC))])
    assert CLOCK.is_weekend(np.array([PLACES.index("Asia/Tokyo")]), saturday)[0] == 1
    assert CLOCK.is_weekend(np.array([PLACES.index("America/New_York")]), saturday)[0] == 0


def test_a_local_hour_is_found_within_the_day():
    day = micros(datetime(2026, 3, 4, tzinfo=UTC))
    zones = np.arange(len(PLACES))
    for hour in (0, 3, 9, 23):
        at = CLOCK.when_it_is(np.full(len(PLACES), hour), zones, day)
        assert (CLOCK.hour(zones, at) == hour).all()
        assert ((at >= day) & (at < day + timedelta(days=1) // timedelta(microseconds=1))).all()
