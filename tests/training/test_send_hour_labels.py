"""At which local hour customers acted, and which sends they clicked, on drawn histories."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from features.build import features_as_of
from tests.features.text import SETTINGS, customers, history, spine, when
from training.send_hour_labels import acts_after, sends_after

NOBODY = customers()
NEW_YORKER = customers({"customer_id": "ann", "timezone": "America/New_York"})
# 2024-05-06 is a Monday.
SPINE = spine(("ann", "2024-05-06"))


def acts(
    drawn: str, *, people: pl.DataFrame = NOBODY, known_until: str = "2024-06-30"
) -> list[tuple[bool, int]]:
    found = acts_after(
        history(drawn),
        SPINE,
        people,
        horizon=timedelta(days=7),
        known_until=when(known_until),
        default_timezone="UTC",
        echo=timedelta(hours=2),
    )
    return found.select("weekend", "hour").rows()


def sends(drawn: str, *, known_until: str = "2024-06-30") -> list[tuple[int, float]]:
    found = sends_after(
        history(drawn),
        SPINE,
        NOBODY,
        horizon=timedelta(days=7),
        click_window=timedelta(hours=24),
        known_until=when(known_until),
        default_timezone="UTC",
    )
    return found.select("hour", "clicked").rows()


def test_acts_come_in_order_of_time_by_kind_of_day() -> None:
    drawn = """
        ann | 2024-05-11T20:30 | view
        ann | 2024-05-06T09:59 | view
    """
    assert acts(drawn) == [(False, 9), (True, 20)]


def test_the_horizon_begins_with_as_of_and_ends_before_its_end() -> None:
    drawn = """
        ann | 2024-05-05T23:59 | view
        ann | 2024-05-06T00:00 | view
        ann | 2024-05-12T23:59 | view
        ann | 2024-05-13T00:00 | view
    """
    assert acts(drawn) == [(False, 0), (True, 23)]


def test_hours_and_weekends_are_those_of_the_customers_own_clock() -> None:
    # Saturday 02:30 in London is still Friday evening in New York.
    assert acts("ann | 2024-05-11T02:30 | view", people=NEW_YORKER) == [(False, 22)]


def test_whatever_is_done_within_an_hour_of_a_day_is_one_act() -> None:
    drawn = """
        ann | 2024-05-06T09:05 | order | order=1 | amount=5
        ann | 2024-05-06T09:05 | order | order=1 | amount=7
        ann | 2024-05-06T09:55 | view
        ann | 2024-05-07T09:05 | view
    """
    assert acts(drawn) == [(False, 9), (False, 9)]


def test_only_the_customers_own_doing_counts() -> None:
    drawn = """
        ann | 2024-05-06T09:00 | send
        ann | 2024-05-06T10:00 | open
        ann | 2024-05-06T11:00 | click | machine=yes
        ann | 2024-05-06T12:00 | refund | amount=5
        bob | 2024-05-06T13:00 | view
        ann | 2024-05-06T14:00 | search
    """
    assert acts(drawn) == [(False, 14)]


def test_what_follows_a_mail_or_a_click_on_one_is_no_act_of_their_own() -> None:
    drawn = """
        ann | 2024-05-06T09:00 | deliver
        ann | 2024-05-06T10:59 | view
        ann | 2024-05-06T11:00 | search
        ann | 2024-05-07T15:00 | click
        ann | 2024-05-07T15:01 | session
        ann | 2024-05-07T18:01 | session
    """
    assert acts(drawn) == [(False, 11), (False, 18)]


def test_what_was_known_too_late_did_not_happen_yet() -> None:
    drawn = "ann | 2024-05-06T09:00 | view | known_at=2024-06-01"
    assert acts(drawn, known_until="2024-05-31") == []
    assert acts(drawn, known_until="2024-06-01") == [(False, 9)]


def test_a_horizon_that_is_not_over_is_refused() -> None:
    with pytest.raises(ValueError, match="1 rows"):
        acts("ann | 2024-05-06T09:00 | view", known_until="2024-05-12T23:59")


def test_a_click_within_a_day_counts_for_the_hour_of_the_send() -> None:
    drawn = """
        ann | 2024-05-06T09:00 | send  | email=welcome
        ann | 2024-05-07T08:59 | click | email=welcome
        ann | 2024-05-08T10:00 | send  | email=welcome
        ann | 2024-05-09T10:00 | click | email=welcome
    """
    assert sends(drawn) == [(9, 1.0), (10, 0.0)]


def test_a_click_belongs_to_the_newest_send_of_the_same_email() -> None:
    drawn = """
        ann | 2024-05-06T08:00 | send  | email=welcome
        ann | 2024-05-06T09:00 | send  | email=welcome
        ann | 2024-05-06T10:00 | send  | email=review
        ann | 2024-05-06T11:00 | click | email=welcome
    """
    assert sends(drawn) == [(8, 0.0), (9, 1.0), (10, 0.0)]


def test_opens_and_machines_click_nothing() -> None:
    drawn = """
        ann | 2024-05-06T09:00 | send
        ann | 2024-05-06T09:01 | open
        ann | 2024-05-06T09:01 | click | machine=yes
        bob | 2024-05-06T09:05 | click
    """
    assert sends(drawn) == [(9, 0.0)]


def test_what_is_about_email_is_so_for_features_and_labels_alike() -> None:
    drawn = """
        ann | 2024-05-06T09:00 | send  | channel=other
        ann | 2024-05-06T09:01 | click | channel=web
        ann | 2024-05-07T10:00 | send  | channel=push
        ann | 2024-05-08T11:00 | send
        ann | 2024-05-08T11:01 | click | channel=sms
        ann | 2024-05-09T12:00 | send  | machine=yes
        ann | 2024-05-09T12:01 | click | machine=yes
    """
    assert sends(drawn) == [(9, 1.0), (11, 0.0), (12, 0.0)]
    told = features_as_of(history(drawn), spine(("ann", "2024-05-10")), NOBODY, settings=SETTINGS)
    assert told.select("sends_7d", "clicks_30d").row(0) == (3, 1)


def test_a_send_whose_day_is_not_over_is_left_out() -> None:
    drawn = """
        ann | 2024-05-06T09:00 | send
        ann | 2024-05-07T09:00 | send
    """
    assert sends(drawn, known_until="2024-05-07T20:00") == [(9, 0.0)]


def test_a_click_that_was_not_known_yet_is_no_click() -> None:
    drawn = """
        ann | 2024-05-06T09:00 | send
        ann | 2024-05-06T09:30 | click | known_at=2024-06-01
    """
    assert sends(drawn, known_until="2024-05-31") == [(9, 0.0)]
    assert sends(drawn, known_until="2024-06-01") == [(9, 1.0)]
