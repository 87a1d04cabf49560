"""Local time: daylight saving, half hours, a day that never was, zones nobody knows."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest

from features.errors import SettingsError
from features.localtime import timezones_of, with_local
from tests.features.text import customers, spine, when


@pytest.mark.parametrize(
    ("zone", "utc", "local"),
    [
        ("America/New_York", "2024-03-10T06:59", "2024-03-10T01:59"),
        ("America/New_York", "2024-03-10T07:00", "2024-03-10T03:00"),  # two o'clock never was
        ("America/New_York", "2024-11-03T05:30", "2024-11-03T01:30"),
        ("America/New_York", "2024-11-03T06:30", "2024-11-03T01:30"),  # half past one, again
        ("Asia/Kathmandu", "2024-05-01T00:00", "2024-05-01T05:45"),
        ("Australia/Lord_Howe", "2024-04-06T15:00", "2024-04-07T01:30"),  # saves half an hour
        ("Pacific/Apia", "2011-12-30T09:59", "2011-12-29T23:59"),
        ("Pacific/Apia", "2011-12-30T10:00", "2011-12-31T00:00"),  # a day left out
    ],
)
def test_the_clock_on_the_wall(zone: str, utc: str, local: str) -> None:
    # Two zones at once take the other road through the code than one does.
    frame = pl.DataFrame({"at": [when(utc)] * 2, "zone": [zone, "UTC"]})
    for given in (frame, frame[:1]):
        told = with_local(given, "at", zone_column="zone", default="UTC")
        assert told["local_at"][0] == datetime.fromisoformat(local)
        assert told["zone_known"][0]


def test_a_zone_nobody_knows_becomes_the_default_and_says_so() -> None:
    zones = ["Mars/Olympus", None, "", "Asia/Seoul"]
    frame = pl.DataFrame({"at": [when("2024-05-01")] * 4, "zone": zones})
    told = with_local(frame, "at", zone_column="zone", default="America/New_York")
    assert told["zone_known"].to_list() == [False, False, False, True]
    assert told["local_at"].dt.hour().to_list() == [20, 20, 20, 9]
    assert told["zone"].to_list() == zones


def test_who_moves_later_has_not_moved_yet() -> None:
    people = customers(
        {"customer_id": "ann", "timezone": "Asia/Seoul"},
        {"customer_id": "ann", "timezone": "Europe/Rome", "known_at": when("2024-05-01")},
        {"customer_id": "eve", "timezone": "Mars/Olympus"},
    )
    rows = spine(
        ("ann", "2024-05-01"), ("bob", "2024-05-01"), ("ann", "2024-04-30"), ("eve", "2024-05-01")
    )
    told = timezones_of(people, rows, "UTC")
    assert told["timezone"].to_list() == ["Europe/Rome", "UTC", "Asia/Seoul", "UTC"]
    assert told["zone_known"].to_list() == [True, False, True, False]
    assert told.select("customer_id", "as_of").equals(rows)


def test_a_default_that_is_no_zone_is_a_fault_of_the_settings() -> None:
    with pytest.raises(SettingsError, match="default_timezone is 'Mars/Olympus'"):
        timezones_of(customers(), spine(("ann", "2024-05-01")), "Mars/Olympus")
