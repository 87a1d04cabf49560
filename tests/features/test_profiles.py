"""The hours of a customer's own week, and what the echo of our mail takes out of them."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from features.profiles import hours_as_of
from features.settings import FeatureSettings
from tests.features.text import SETTINGS, customers, history, spine, when


def profile(drawn: str, at: str, settings: FeatureSettings = SETTINGS) -> pl.DataFrame:
    return hours_as_of(history(drawn), spine(("ann", at)), customers(), settings=settings)


def slots(found: pl.DataFrame) -> list[tuple[bool, int]]:
    return found.select("weekend", "hour").rows()


# 2024-05-06 is a Monday.
def test_what_follows_a_mail_or_a_click_on_one_is_not_counted() -> None:
    drawn = """
        ann | 2024-05-06T08:59 | view
        ann | 2024-05-06T09:10 | deliver
        ann | 2024-05-06T09:05 | view
        ann | 2024-05-06T14:59 | order | order=1 | amount=1
        ann | 2024-05-06T15:00 | view
        ann | 2024-05-08T20:00 | click
        ann | 2024-05-08T20:01 | session
        ann | 2024-05-09T01:59 | view
        ann | 2024-05-09T02:00 | view
    """
    assert slots(profile(drawn, "2024-05-10")) == [(False, 2), (False, 8), (False, 15)]


def test_the_hours_are_those_that_the_mail_covered_by_the_local_clock() -> None:
    drawn = """
        ann | 2024-05-06T23:30 | send
        ann | 2024-05-07T06:30 | view
    """
    seoul = customers({"customer_id": "ann", "timezone": "Asia/Seoul"})
    found = hours_as_of(history(drawn), spine(("ann", "2024-05-08")), seoul, settings=SETTINGS)
    assert slots(found) == [(False, 15)]


def test_the_share_of_days_that_mail_covered_is_told() -> None:
    # Two Mondays of ten days seen, one of them mailed at nine; all nearly of one age.
    drawn = """
        ann | 2024-05-06T10:00 | view
        ann | 2024-05-13T09:00 | send
        ann | 2024-05-15T10:00 | view
        ann | 2024-05-15T08:00 | view
    """
    older = SETTINGS.model_copy(update={"hours_half_life_days": 3_650})
    found = profile(drawn, "2024-05-16", older)
    echo = dict(zip(found["hour"], found["echo"], strict=True))
    # 10 days are taken as 10 * 5 / 7 weekdays.
    assert echo[10] == pytest.approx(7 / 50, rel=1e-2)
    assert echo[8] == 0
    assert found.filter(hour=10)["acts"].item() == pytest.approx(2, rel=1e-2)


def test_two_mails_close_to_each_other_cover_their_hours_once() -> None:
    drawn = """
        ann | 2024-05-05T10:00 | view
        ann | 2024-05-06T10:00 | view
        ann | 2024-05-13T09:00 | send
        ann | 2024-05-13T09:01 | deliver
        ann | 2024-05-13T10:00 | send
    """
    older = SETTINGS.model_copy(update={"hours_half_life_days": 3_650})
    found = profile(drawn, "2024-05-15", older).filter(~pl.col("weekend"))
    assert found["echo"].item() == pytest.approx(7 / 50, rel=1e-2)


def test_the_length_of_the_echo_and_the_half_life_are_the_merchants() -> None:
    drawn = """
        ann | 2024-05-06T09:00 | send
        ann | 2024-05-06T11:00 | view
    """
    short = SETTINGS.model_copy(update={"mail_echo_hours": 2})
    assert slots(profile(drawn, "2024-05-10")) == []
    assert slots(profile(drawn, "2024-05-10", short)) == [(False, 11)]
    brief = SETTINGS.model_copy(update={"mail_echo_hours": 1, "hours_half_life_days": 4})
    later = str((when("2024-05-06T11:00") + timedelta(days=8)).isoformat()[:16])
    assert profile(drawn, later, brief)["acts"].item() == pytest.approx(0.25)


def test_an_hour_that_the_clocks_repeat_is_one_hour_of_one_day() -> None:
    # 01:30 in New York comes twice on 2024-11-03, a Sunday.
    drawn = """
        ann | 2024-11-03T05:30 | view
        ann | 2024-11-03T06:30 | view
    """
    there = customers({"customer_id": "ann", "timezone": "America/New_York"})
    found = hours_as_of(history(drawn), spine(("ann", "2024-11-04")), there, settings=SETTINGS)
    assert slots(found) == [(True, 1)]
    assert found["acts"].item() == pytest.approx(1, rel=1e-2)
