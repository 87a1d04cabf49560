"""Dirt has the share that was asked for, looks as in life, and changes nothing that happened."""

from datetime import timedelta

import polars as pl
from polars.testing import assert_frame_equal

from features.once import unique_events
from features.tables import EVENTS
from pipelines.simulator.dirt import PREFETCHED, soil
from tests.pipelines.simulator.mails import (
    CLEAN,
    dirty,
    events,
    opened,
    people,
    sent_and_delivered,
)  # fmt: skip

MAILS = 4_000


def by_id(frame):
    return frame.sort("event_id", "known_at")


def of_kind(frame, kind):
    return frame.filter(pl.col("kind") == kind)


def test_without_dirt_nothing_changes():
    clean = sent_and_delivered(MAILS)
    everybody = people(mpp=(), gateway=range(100))
    assert_frame_equal(by_id(soil(clean, everybody, settings=CLEAN, seed=1)), by_id(clean))


def test_the_app_of_some_opens_nearly_all_their_mail_within_half_an_hour():
    clean = sent_and_delivered(MAILS)
    seen = soil(clean, people(mpp=range(25)), settings=dirty(machine_flagged_share=0.4), seed=1)
    opens = of_kind(seen, "open")
    delivered = of_kind(clean, "deliver").select("message_id", delivered_at="at")
    after = opens.join(delivered, on="message_id", how="left").select(
        pl.col("at") - pl.col("delivered_at")
    )
    assert set(opens["customer_id"]) == {f"c{number}" for number in range(25)}
    assert abs(opens.height / (MAILS / 4) - PREFETCHED) < 0.03
    assert after.to_series().is_between(timedelta(seconds=2), timedelta(minutes=30)).all()
    assert abs(opens["machine"].fill_null(False).mean() - 0.4) < 0.05
    assert set(opens["machine"]) == {True, None}


def test_who_hides_behind_the_app_is_not_seen_to_open():
    clean = sent_and_delivered(MAILS)
    both = pl.concat([clean, opened(clean, after_hours=3)])
    opens = of_kind(soil(both, people(mpp=range(50)), settings=CLEAN, seed=1), "open")
    assert opens.height == MAILS and opens["message_id"].is_unique().all()
    fetched = opens.filter(pl.col("event_id").str.ends_with(":fetch"))
    assert abs(fetched.height / (MAILS / 2) - PREFETCHED) < 0.03


def test_a_scanner_follows_three_links_or_more_within_two_seconds_and_does_not_say_so():
    clean = sent_and_delivered(MAILS)
    seen = soil(clean, people(gateway=range(20)), settings=dirty(scanned_share=0.5), seed=1)
    delivered = of_kind(clean, "deliver").select("message_id", delivered_at="at")
    mails = (
        of_kind(seen, "click")
        .join(delivered, on="message_id")
        .group_by("message_id", "customer_id", "delivered_at")
        .agg(first=pl.col("at").min(), last=pl.col("at").max(), links=pl.col("link").n_unique())
    )
    assert abs(mails.height / (MAILS / 5) - 0.5) < 0.06
    assert mails["links"].min() == 3 and mails["links"].max() == 6
    assert (mails["last"] - mails["first"]).max() < timedelta(seconds=2)
    starts = mails["first"] - mails["delivered_at"]
    assert starts.is_between(timedelta(seconds=1), timedelta(seconds=8)).all()
    assert of_kind(seen, "click")["machine"].is_null().all()


def test_late_events_are_known_hours_to_days_later_but_own_sends_never():
    clean = sent_and_delivered(MAILS)
    seen = soil(clean, people(), settings=dirty(late_share=0.1), seed=1)
    lag = seen.select("kind", lag=pl.col("known_at") - pl.col("at"))
    assert (of_kind(lag, "send")["lag"] == timedelta(0)).all()
    late = of_kind(lag, "deliver").filter(pl.col("lag") > timedelta(0))["lag"]
    assert abs(late.len() / MAILS - 0.1) < 0.02
    assert late.is_between(timedelta(hours=1), timedelta(hours=48)).all()
    assert not of_kind(seen, "deliver").sort("known_at")["at"].is_sorted()
    assert by_id(seen)["at"].equals(by_id(clean)["at"])


def test_copies_carry_the_same_id_and_the_lake_s_rule_takes_them_away():
    clean = sent_and_delivered(MAILS)
    seen = soil(clean, people(), settings=dirty(duplicate_share=0.1), seed=1)
    copies = seen.filter(seen["event_id"].is_duplicated())
    assert abs(copies.height / 2 / clean.height - 0.1) < 0.015
    spread = copies.group_by("event_id").agg(
        later=pl.col("known_at").max() - pl.col("known_at").min(), happened=pl.col("at").n_unique()
    )
    assert (spread["happened"] == 1).all()
    assert abs((spread["later"] == timedelta(0)).mean() - 0.5) < 0.1
    assert spread["later"].max() > timedelta(hours=12)
    assert_frame_equal(by_id(unique_events(seen)), by_id(clean))


def test_soft_bounces_take_only_mails_that_nobody_would_have_answered():
    clean = sent_and_delivered(MAILS)
    answers = opened(clean.filter(pl.col("customer_id") < "c5"), after_hours=3)
    seen = soil(
        pl.concat([clean, answers]), people(), settings=dirty(soft_bounce_share=0.2), seed=1
    )
    bounces = of_kind(seen, "bounce")
    quiet = MAILS - answers.height
    assert abs(bounces.height / quiet - 0.2) < 0.03
    assert (bounces["reason"] == "soft").all()
    assert bounces.height + of_kind(seen, "deliver").height == MAILS
    assert not set(bounces["message_id"]) & set(answers["message_id"])


def test_what_comes_out_keeps_the_contract_and_depends_on_the_seed_alone():
    clean = sent_and_delivered(MAILS)
    everything = dirty(
        machine_flagged_share=0.4, scanned_share=0.5, duplicate_share=0.1, late_share=0.1,
        soft_bounce_share=0.1,
    )  # fmt: skip
    some = people(mpp=range(30), gateway=range(20, 60))
    seen = soil(clean, some, settings=everything, seed=1)
    EVENTS.check(seen)
    halves = [
        clean.filter(pl.col("customer_id") < "c5"),
        clean.filter(pl.col("customer_id") >= "c5").reverse(),
    ]
    in_blocks = pl.concat([soil(half, some, settings=everything, seed=1) for half in halves])
    assert_frame_equal(by_id(in_blocks), by_id(seen))
    other = soil(clean, some, settings=everything, seed=2)
    assert set(other["event_id"]) != set(seen["event_id"])


def test_events_without_a_message_come_through():
    visit = pl.DataFrame(
        {"message_id": ["v1"], "customer_id": ["c1"], "kind": ["session"]}
    ).with_columns(at=pl.lit(sent_and_delivered(1)["at"][0]))
    visits = events(visit).with_columns(message_id=pl.lit(None, pl.String))
    seen = soil(visits, people(mpp=range(100)), settings=dirty(soft_bounce_share=1.0), seed=1)
    assert_frame_equal(seen, visits)
