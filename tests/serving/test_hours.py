"""At which minute an e-mail leaves: allowed, in its window, and at the hour that draws most."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.hours import instants_of
from serving.tables import UTC
from tests.serving.drawn import drawn, moment
from tests.serving.histories import answers
from tests.serving.shop import (
    HOUR,
    NEW_YORK,
    NOW,
    SHOP,
    arm_of,
    curve,
    decision_for,
    reasons_of,
    shop,
)

CART = {"cart_waiting_hours": 5.0, "cart_items": 2.0}
BORED = {"days_since_order": 5.0}  # a recommendation applies, which need not leave at once
ZONES = (
    "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Australia/Lord_Howe",
    "Asia/Seoul", "Europe/London", "Pacific/Chatham", "UTC",
)  # fmt: skip


def window(zone: str, start: datetime, hours: float, *, at_once: bool, spread: float):
    frame = pl.DataFrame(
        [
            {
                "arm": 0, "person": 0, "email": "x", "timezone": zone, "at_once": at_once,
                "half_life_hours": 24.0, "starts_at": start, "ends_at": start + hours * HOUR,
                "spread": spread,
            }
        ],
        schema_overrides={"starts_at": UTC, "ends_at": UTC},
    )  # fmt: skip
    return instants_of(frame)


CLOCK_CHANGES = """
    day        | begins           | local hours
    spring     | 2026-03-08T05:30 | 0 1 3 4 5
    autumn     | 2026-11-01T04:30 | 0 1 1 2 3
    winter day | 2026-01-10T05:30 | 0 1 2 3 4
"""


@pytest.mark.parametrize("row", drawn(CLOCK_CHANGES), ids=lambda row: row["day"])
def test_the_hours_of_a_night_when_new_york_changes_its_clocks(row):
    found = window("America/New_York", moment(row["begins"]), 4, at_once=False, spread=0.5)
    assert " ".join(map(str, found["hour"])) == row["local hours"]
    assert found["at"].is_sorted()
    assert found["at"].is_unique().all()  # the hour that comes twice is two different instants


@given(
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    hours=st.floats(0, 60),
    at_once=st.booleans(),
    spread=st.floats(0, 0.999),
)
@settings(max_examples=150, deadline=None)
def test_instants_lie_in_their_window_and_tell_the_hour_on_the_wall(
    zone, start, hours, at_once, spread
):
    start = moment(start.isoformat())
    found = window(zone, start, hours, at_once=at_once, spread=spread)
    assert found["at"].min() >= start
    assert found["at"].max() <= start + hours * HOUR
    on_the_wall = [at.astimezone(ZoneInfo(zone)) for at in found["at"]]
    assert found["hour"].to_list() == [at.hour for at in on_the_wall]
    is_weekend = [at.weekday() >= 5 for at in on_the_wall]
    assert (found["slot"] >= 24).to_list() == is_weekend
    if at_once:
        assert found["at"][0] == start


@given(
    zone=st.sampled_from(ZONES),
    now=st.datetimes(datetime(2026, 2, 20), datetime(2026, 11, 20)),
    wait=st.floats(0, 50),
    length=st.floats(0.1, 50),
    hour=st.integers(0, 23),
    email=st.sampled_from(list(SHOP.emails)),
)
@settings(max_examples=60, deadline=None)
def test_a_mail_leaves_in_the_allowed_hours_of_the_window_or_not_at_all(
    zone, now, wait, length, hour, email
):
    now = moment(now.isoformat())
    asked = {"emails": [email], "earliest": now + wait * HOUR,
             "deadline": now + (wait + length) * HOUR}  # fmt: skip
    decision = decision_for(now=now, asked=asked, timezone=zone, hours=curve({hour: 1.0}))
    if decision["action"] == "wait":
        assert decision["send_at"] is None
        assert {"quiet_hours", "too_late"} & set(reasons_of(decision))
        return
    local = decision["send_at"].astimezone(ZoneInfo(zone))
    assert 8 <= local.hour < 21
    assert local.replace(tzinfo=None) == decision["local_send_at"]
    assert asked["earliest"] <= decision["send_at"] <= asked["deadline"]
    assert decision["send_at"] <= decision["valid_until"] <= asked["deadline"]


def test_the_hour_at_which_they_are_about_is_taken():
    decision = decision_for(**BORED, hours=curve({10: 0.1, 17: 0.4}))
    assert decision["local_send_at"] == datetime(2026, 3, 3, 17, 30)
    assert reasons_of(decision)["hour"] == (
        "Tue 17:30 by their clock; 38 % more clicks expected than at 10:00, by their own hours"
    )


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ({10: 0.1, 17: 0.4}, "Tue 17:30 by their clock; it counts 38 % more than 10:00"),
        ({10: 0.4, 17: 0.1}, "Wed 10:30 by their clock; it counts as much as 10:00"),
    ],
)
def test_hours_learnt_from_activity_promise_no_clicks(hours, said):
    decision = decision_for(**BORED, hours=curve(hours), evidence="activity")
    assert reasons_of(decision)["hour"] == (
        f"{said}, by their own hours (of visits and orders; too few clicks to learn from yet)"
    )


def test_weekends_have_hours_of_their_own():
    hours = curve({10: 0.2, 12: 0.4}).with_columns(
        lift=pl.when("weekend").then(pl.col("lift").reverse()).otherwise("lift")
    )
    friday = moment("2026-03-06T20:00")  # 15:00 in New York
    decision = decision_for(**BORED, now=friday, hours=hours)
    assert decision["local_send_at"] == datetime(2026, 3, 7, 11, 30)


def test_at_once_means_at_once_while_the_hour_is_good_enough():
    decision = decision_for(**CART, hours=curve({10: 0.2, 11: 0.2}))
    assert decision["send_at"] == NOW
    assert reasons_of(decision)["now"].startswith("at once: Tue 11:00 by their clock")
    # Waiting six hours costs two fifths of a cart mail's worth, and a better hour pays for it.
    later = decision_for(**CART, hours=curve({10: 0.9, 12: 1.0}))
    assert later["local_send_at"] == datetime(2026, 3, 3, 12, 30)


def test_a_delay_keeps_a_fresh_cart_waiting():
    decision = decision_for(cart_waiting_hours=0.25, cart_items=1.0)
    assert decision["send_at"] == NOW + timedelta(minutes=45)


def test_where_the_best_hour_is_quiet_the_reason_says_so():
    decision = decision_for(**BORED, hours=curve({10: 0.1, 23: 0.9, 19: 0.3}))
    assert decision["local_send_at"] == datetime(2026, 3, 3, 19, 30)
    assert reasons_of(decision)["moved"] == (
        "moved from Tue 2026-03-03 23:30 to Tue 2026-03-03 19:30 by their clock, for the better "
        "minute was shut: no mail leaves between 21:00 and 8:00 of their clock"
    )
    arm = arm_of(decision, "recommendation")
    assert arm["unconstrained_at"] == moment("2026-03-04T04:30")
    assert arm["unconstrained_value"] > arm["value"]


def test_the_same_hours_at_both_ends_mean_no_quiet_hours():
    settings_ = shop({"quiet_from_hour": 0, "quiet_until_hour": 0}, {})
    decision = decision_for(settings_, **BORED, hours=curve({10: 0.1, 23: 0.9}))
    assert decision["local_send_at"].hour == 23


@pytest.mark.parametrize("zone", [None, "Atlantis/Poseidonis"])
def test_whose_zone_is_unknown_lives_in_the_default_zone_and_is_told_so(zone):
    cart = """
        ann | consent  | 2025-01-01T00:00 | granted
        ann | cart_add | 2026-03-04T03:00 | bun
    """
    night = moment("2026-03-04T03:30")
    answer = answers(cart, "ann", now=night, zone=zone)
    assert answer["local_send_at"].item().date() == datetime(2026, 3, 4).date()
    assert 8 <= answer["local_send_at"].item().hour < 21
    assert (answer["timezone"].item(), answer["timezone_known"].item()) == (NEW_YORK, False)
    told = {reason["code"]: reason["text"] for reason in answer["because"].item()}
    assert told["unknown_zone"] == "their time zone is unknown; America/New_York is assumed"


def test_all_that_shut_the_best_minute_are_told():
    """The best minute lies in the night, less than a day and a gap after the last mail."""
    mails = [("newsletter", NOW - 5 * HOUR)]
    decision = decision_for(**BORED, hours=curve({10: 0.1, 23: 0.9, 19: 0.3}), mails=mails, now=NOW)
    assert [one["code"] for one in decision["moved_by"]] == ["cap_24h", "min_gap", "quiet_hours"]
    told = reasons_of(decision)["moved"]
    began, _, why = told.partition(" by their clock, for the better minute was shut: ")
    assert began == "moved from Tue 2026-03-03 23:30 to Wed 2026-03-04 19:30"
    assert why == "; ".join(one["text"] for one in decision["moved_by"])


def test_nothing_is_said_to_shut_a_minute_that_is_open():
    decision = decision_for(**BORED, hours=curve({10: 0.1, 19: 0.3}))
    assert decision["action"] == "send" and decision["moved_by"] == []
    assert "moved" not in reasons_of(decision)
