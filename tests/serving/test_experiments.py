"""What is left to chance: who is held out, which e-mail and which hour are drawn, and how often."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from functools import lru_cache
from math import sqrt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.experiments import in_holdout
from tests.serving.histories import answers
from tests.serving.shop import (
    HOUR,
    NOW,
    SHOP,
    arm_of,
    decision_for,
    reasons_of,
    shop,
)

BORED = {"days_since_order": 5.0}  # a recommendation applies
CART = {"cart_waiting_hours": 5.0, "cart_items": 2.0}
ALL_CHANCE = shop({"explore_emails": 1, "explore_hours": 1}, {})
HALF_CHANCE = shop({"explore_emails": 0.5, "explore_hours": 0.5}, {})
NAMES = [f"c{number}" for number in range(1200)]
# A cart, a recommendation and a review of the last order all apply.
TEMPTED = """
    {name} | consent  | 2025-01-01T00:00 | granted
    {name} | order    | 2026-02-24T15:00 | bread | 12
    {name} | cart_add | 2026-03-03T14:00 | bun
"""


@lru_cache(maxsize=4)
def crowd(chance) -> pl.DataFrame:
    """Many customers of one history, and what each is answered."""
    return answers("".join(TEMPTED.format(name=name) for name in NAMES), *NAMES, settings=chance)


def arms_of(got: pl.DataFrame) -> pl.DataFrame:
    return got.select("customer_id", "arms").explode("arms").unnest("arms")


def is_fair(happened: float, chances: list[float]) -> bool:
    """Whether so many is within 4 standard deviations of what these chances sum to."""
    return abs(happened - sum(chances)) <= 4 * sqrt(sum(p * (1 - p) for p in chances)) + 1e-9


def test_who_is_held_out_gets_no_email_and_is_told_why():
    held = decision_for(shop({"holdout_share": 1}, {}), **CART)
    assert (held["action"], held["email"], held["holdout"]) == ("wait", None, True)
    assert reasons_of(held) == {
        "holdout": "they belong to the 100 % who get no e-mail, so that its effect can be measured"
    }
    assert (held["propensity"], held["wait_propensity"]) == (1.0, 1.0)
    assert {arm["propensity"] for arm in held["arms"]} == {0.0}
    # What it keeps from them stays in the receipt.
    assert arm_of(held, "cart_reminder")["value"] > 0
    assert held["unconstrained_best"]["email"] == "cart_reminder"
    free = decision_for(**CART)
    assert (free["action"], free["holdout"]) == ("send", False)


def test_who_is_held_out_and_may_not_be_mailed_is_told_both():
    held = decision_for(shop({"holdout_share": 1}, {}), **CART, email_consent="denied")
    assert set(reasons_of(held)) == {"holdout", "consent"}


def test_where_chance_decided_no_rule_is_blamed():
    held_out = shop({"holdout_share": 1}, {})
    lately = [("cart_reminder", NOW - 48 * HOUR)]  # not again so soon; the other might go
    assert set(reasons_of(decision_for(held_out, **CART, **BORED, mails=lately))) == {"holdout"}
    both = [("newsletter", NOW)]
    assert "cap_24h" in reasons_of(decision_for(held_out, **CART, mails=both))


def test_a_pure_question_of_time_is_answered_to_everybody():
    asked = {"emails": ["cart_reminder"]}
    everything = shop({"holdout_share": 1, "explore_emails": 1, "explore_hours": 1}, {})
    for cart in (CART, {}):
        decision = decision_for(everything, **cart, asked=asked)
        assert (decision["email"], decision["holdout"]) == ("cart_reminder", False)
        assert (decision["explored_email"], decision["explored_hour"]) == (False, True)
        hours = arm_of(decision, "cart_reminder")["hours"]
        assert decision["email_propensity"] == 1.0
        assert decision["propensity"] == pytest.approx(1 / hours)
        assert decision["wait_propensity"] == 0.0
    forbidden = decision_for(everything, asked=asked, email_consent="denied")
    assert (forbidden["wait_propensity"], set(reasons_of(forbidden))) == (1.0, {"consent"})
    # Two e-mails named are a choice.
    two = decision_for(everything, **CART, asked={"emails": ["cart_reminder", "welcome"]})
    assert two["holdout"]


def test_the_holdout_is_as_large_as_said_and_always_the_same_people():
    people = pl.Series([str(number) for number in range(20_000)])
    held = in_holdout(people, shop({"holdout_share": 0.05}, {}).policy)
    assert is_fair(held.sum(), [0.05] * len(people))
    other = {"explore_emails": 0.5, "explore_hours": 0.5, "fatigue": 9}
    assert held.equals(in_holdout(people, shop({"holdout_share": 0.05, **other}, {}).policy))
    # A larger one holds the smaller: nobody who was held out comes back.
    larger = in_holdout(people, shop({"holdout_share": 0.1}, {}).policy)
    assert (larger & held).equals(held)
    # Dealt anew it would be full of people who were mailed before.
    assert held.equals(in_holdout(people, shop({"holdout_share": 0.05, "seed": 2}, {}).policy))


def test_the_same_people_are_held_out_in_every_decision_at_every_date():
    held_out = shop({"holdout_share": 0.3, "explore_emails": 0.3}, {})
    names = NAMES[:60]
    told = "".join(TEMPTED.format(name=name) for name in names)
    on = [answers(told, *names, settings=held_out, now=NOW + days * 24 * HOUR) for days in range(3)]
    expected = in_holdout(pl.Series(names), held_out.policy)
    assert 5 < expected.sum() < 30
    for got in on:
        assert got["holdout"].equals(expected.alias("holdout"))
        held = got.filter("holdout")
        assert set(held["action"]) == {"wait"}
        assert not held["explored_email"].any()
        assert set(held["propensity"]) == {1.0}


def test_nothing_is_left_to_chance_where_the_merchant_leaves_nothing():
    got = crowd(SHOP)
    assert set(got["email"]) == {"cart_reminder"}
    assert set(got["propensity"]) == {1.0}
    assert not got["explored_email"].any() and not got["explored_hour"].any()
    assert set(arms_of(got)["propensity"]) == {0.0, 1.0}


@pytest.mark.parametrize("chance", [SHOP, HALF_CHANCE, ALL_CHANCE], ids=["none", "half", "all"])
def test_the_chances_of_all_arms_and_of_none_sum_to_one(chance):
    got = crowd(chance)
    sums = arms_of(got).group_by("customer_id", maintain_order=True).agg(pl.col("propensity").sum())
    total = got["wait_propensity"] + sums["propensity"]
    assert total.to_list() == pytest.approx([1.0] * got.height, abs=1e-12)
    chosen = arms_of(got).join(got.select("customer_id", "email"), on=["customer_id", "email"])
    sent = got.filter(pl.col("action") == "send")
    assert chosen["propensity"].to_list() == sent["email_propensity"].to_list()
    product = sent["email_propensity"] * sent["hour_propensity"]
    assert product.to_list() == sent["propensity"].to_list()
    wait = got.filter(pl.col("action") == "wait")
    assert wait["propensity"].equals(wait["wait_propensity"].alias("propensity"))
    assert wait["hour_propensity"].null_count() == wait.height


@pytest.mark.parametrize("chance", [HALF_CHANCE, ALL_CHANCE], ids=["half", "all"])
def test_what_is_chosen_comes_as_often_as_its_propensity_says(chance):
    got = crowd(chance)
    arms = arms_of(got)
    often = Counter(got["email"])
    for (email,), of_email in arms.group_by("email"):
        assert is_fair(often[email], of_email["propensity"].to_list()), email
    assert is_fair(often[None], got["wait_propensity"].to_list())
    # Two e-mails that may go, and none: all three come up.
    assert min(often["cart_reminder"], often["recommendation"], often[None]) > 100
    assert is_fair(got["explored_email"].sum(), [chance.policy.explore_emails] * got.height)
    sent = got.filter(pl.col("action") == "send")
    assert is_fair(sent["explored_hour"].sum(), [chance.policy.explore_hours] * sent.height)


@pytest.mark.parametrize("chance", [HALF_CHANCE, ALL_CHANCE], ids=["half", "all"])
def test_an_hour_comes_as_often_as_its_propensity_says_and_all_open_ones_alike(chance):
    sent = crowd(chance).filter(pl.col("email") == "recommendation")
    arms = arms_of(crowd(chance)).filter(pl.col("email") == "recommendation")
    (hours,) = set(arms["hours"])
    best = sent.join(
        arms.select("customer_id", best="send_at"), on="customer_id", how="left"
    ).with_columns(is_best=pl.col("send_at") == pl.col("best"))
    share = chance.policy.explore_hours
    assert is_fair(best["is_best"].sum(), [share / hours + 1 - share] * best.height)
    assert best.filter("is_best")["hour_propensity"].to_list() == pytest.approx(
        [share / hours + 1 - share] * best["is_best"].sum()
    )
    drawn_hours = Counter(sent.filter("explored_hour")["local_send_at"].dt.truncate("1h").to_list())
    # 11:00 to 21:00 today, 8:00 to 21:00 tomorrow, 8:00 to 11:00 the day after.
    assert hours == 10 + 13 + 3
    assert len(drawn_hours) == hours or chance is HALF_CHANCE  # too few draws to see each
    count = drawn_hours.total()
    for often in drawn_hours.values():
        assert is_fair(often, [1 / hours] * count)


def test_an_explored_mail_says_so():
    got = crowd(ALL_CHANCE).filter(pl.col("email") == "recommendation").row(0, named=True)
    said = reasons_of(got)
    assert said["explored_email"] == "chosen by chance to learn what each e-mail brings"
    assert said["explored_hour"] == "its hour was chosen by chance to learn what each hour brings"
    assert not {"moved", "instead_of"} & set(said)
    assert said["applies"]
    wait = crowd(ALL_CHANCE).filter(pl.col("action") == "wait").row(0, named=True)
    assert reasons_of(wait) == {
        "explored_email": "chosen by chance to learn what comes of no e-mail",
        "degraded": reasons_of(wait)["degraded"],
    }


def test_the_receipt_says_what_the_policy_would_have_done():
    got = crowd(ALL_CHANCE).filter(pl.col("action") == "wait").row(0, named=True)
    usual = answers(TEMPTED.format(name=got["customer_id"]), got["customer_id"], settings=SHOP).row(
        0, named=True
    )
    best = max((arm for arm in got["arms"] if arm["hours"] > 0), key=lambda arm: arm["value"])
    assert (best["email"], best["send_at"]) == (usual["email"], usual["send_at"])


def test_who_asks_again_the_same_day_gets_the_same_draw():
    told = "".join(TEMPTED.format(name=name) for name in NAMES)
    hour = pl.col("local_send_at").dt.truncate("1h")
    before = crowd(ALL_CHANCE).select("email", hour)
    for minutes in (20, 7 * 60 + 59):  # until 23:59 UTC
        now = NOW + minutes * HOUR / 60
        again = answers(told, *NAMES, settings=ALL_CHANCE, now=now).select("email", hour)
        assert again["email"].equals(before["email"])
        # An hour that is not over stays, unless one wins that was not open before.
        earlier, later = before["local_send_at"], again["local_send_at"]
        ahead = (earlier > now.replace(tzinfo=None) - 6 * HOUR).fill_null(False)  # of New York
        is_new = later >= datetime(2026, 3, 5, 11)
        assert ahead.sum() > 400
        assert (earlier.eq_missing(later) | is_new).filter(ahead).all()
        assert is_new.filter(ahead).sum() < ahead.sum() / 2
    tomorrow = answers(told, *NAMES, settings=ALL_CHANCE, now=NOW + 8 * HOUR)
    assert not tomorrow["email"].equals(before["email"])


def test_a_draw_stands_whatever_else_comes_or_goes():
    kept = crowd(ALL_CHANCE).filter(pl.col("email").ne_missing("cart_reminder"))
    names = kept["customer_id"].to_list()
    told = "".join(TEMPTED.format(name=name) for name in names).replace("cart_add", "view")
    without_cart = answers(told, *names, settings=ALL_CHANCE)
    assert kept.height > 600
    assert without_cart.select("email", "send_at").equals(kept.select("email", "send_at"))


def test_where_nothing_may_go_nothing_is_explored():
    decision = decision_for(ALL_CHANCE, **CART, email_consent="denied")
    assert not decision["explored_email"]
    assert (decision["wait_propensity"], set(reasons_of(decision))) == (1.0, {"consent"})
    calm = decision_for(ALL_CHANCE)
    assert (calm["explored_email"], calm["wait_propensity"]) == (False, 1.0)


def test_what_is_not_worth_it_may_be_sent_by_chance_alone():
    costly = shop({"explore_emails": 0.5}, {"recommendation": {"send_cost": 100}})
    decision = decision_for(costly, **BORED)
    assert arm_of(decision, "recommendation")["propensity"] == 0.25
    assert decision["wait_propensity"] == 0.75


ACTS = st.lists(
    st.tuples(
        st.integers(1, 40 * 24 * 4),  # quarters of an hour ago
        st.sampled_from(
            ["consent granted", "consent denied", "unsubscribe", "bounce hard", "order bread",
             "order soap", "cart_add bun", "cart_add cheese", "send newsletter",
             "send cart_reminder", "send recommendation"]
        ),
    ),
    max_size=12,
    unique_by=lambda act: act[0],
)  # fmt: skip
FORBIDDING = {"consent denied", "unsubscribe", "bounce hard"}


@given(acts=ACTS, name=st.sampled_from(NAMES), minutes=st.integers(0, 48 * 60))
@settings(max_examples=60, deadline=None)
def test_chance_breaks_no_guardrail(acts, name, minutes):
    now = NOW + timedelta(minutes=minutes)
    told = f"{name} | consent | 2025-01-01T00:00 | granted\n"
    past = [(now - quarters * HOUR / 4, act) for quarters, act in sorted(acts, reverse=True)]
    for at, act in past:
        kind, _, what = act.partition(" ")
        told += f"{name} | {kind} | {at.replace(tzinfo=None).isoformat()} | {what} | 9\n"
    got = answers(told, name, settings=ALL_CHANCE, now=now).row(0, named=True)
    chances = [arm["propensity"] for arm in got["arms"]]
    assert sum(chances) + got["wait_propensity"] == pytest.approx(1.0, abs=1e-12)
    for arm in got["arms"]:
        assert arm["propensity"] == 0 or (arm["applies"] and not arm["forbidden_by"])
    permissions = [act for _, act in past if act in {*FORBIDDING, "consent granted"}]
    if permissions and permissions[-1] in FORBIDDING:
        assert (got["action"], got["wait_propensity"]) == ("wait", 1.0)
    if got["action"] == "send":
        _keeps_the_rules(got, [(at, act[5:]) for at, act in past if act.startswith("send")])


def _keeps_the_rules(got, sends):
    caps, leaves = ALL_CHANCE.caps.marketing, got["send_at"]
    assert arm_of(got, got["email"])["propensity"] > 0
    assert 8 <= got["local_send_at"].hour < 21
    assert got["as_of"] <= leaves <= got["valid_until"]
    assert got["products"] and not {"cheese", "kefir"} & set(got["products"])  # sold out, not yet
    times = sorted([at for at, _ in sends] + [leaves])
    assert [at for at in times if abs(at - leaves) < caps.min_gap_hours * HOUR] == [leaves]
    for cap, days in ((caps.per_24h, 1), (caps.per_7d, 7), (caps.per_30d, 30)):
        for first in times:
            window = [at for at in times if first <= at < first + timedelta(days=days)]
            assert leaves not in window or len(window) <= cap
    again = timedelta(days=ALL_CHANCE.emails[got["email"]].repeat_days)
    assert all(leaves - at >= again for at, email in sends if email == got["email"])


def test_a_customer_explores_alone_as_in_the_crowd():
    got = crowd(HALF_CHANCE)
    for name in NAMES[:12]:
        alone = answers(TEMPTED.format(name=name), name, settings=HALF_CHANCE)
        there = got.filter(pl.col("customer_id") == name)
        columns = [column for column in alone.columns if column != "row"]
        assert alone.select(columns).equals(there.select(columns)), name
