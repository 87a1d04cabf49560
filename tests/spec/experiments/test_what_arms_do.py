"""What the arm of a customer makes of their e-mail: a slot, an hour, a discount."""

from __future__ import annotations

import polars as pl
import pytest

from tests.serving.drawn import moment
from tests.serving.histories import answers
from tests.serving.shop import HOUR, NOW, arm_of, decision_for, reasons_of
from tests.spec.experiments.dealing import CART, experiment, learnt, shop_with

BORED = {"days_since_order": 5.0}  # a recommendation applies


def forced(arm: str, **differs: object):
    """An experiment in which everybody, nearly, is in one arm: ann is."""
    arms = [arm, *(other for other in differs.pop("arms") if other != arm)]
    rest = 0.01
    shares = (1 - rest * (len(arms) - 1), *[rest] * (len(arms) - 1))
    return experiment(arms=arms, shares=shares, **differs)


def elements(decision) -> dict[str, str]:
    return {one["factor"]: one["arm"] for one in decision["elements"]}


@pytest.mark.parametrize(
    "factor", ["subject", "sender_name", "content", "image_share", "cta", "personal"]
)
def test_the_senders_template_is_told_the_arm(factor):
    for arm in ("this", "that"):
        one = forced(arm, arms=["this", "that"], factor=factor)
        decision = decision_for(shop_with(test=one), **CART)
        assert elements(decision) == {factor: arm}
        assert decision["experiments"] == [
            {"experiment": "test", "arm": arm, "propensity": pytest.approx(0.99)}
        ]


def test_several_experiments_come_out_side_by_side():
    decision = decision_for(
        shop_with(
            a=forced("short", arms=["short", "long"]),
            b=forced("red", arms=["red", "blue"], factor="cta", email="*"),
        ),
        **CART,
    )
    assert elements(decision) == {"subject": "short", "cta": "red"}
    assert [one["experiment"] for one in decision["experiments"]] == ["a", "b"]


def test_an_experiment_of_another_email_leaves_this_one_alone():
    one = forced("short", arms=["short", "long"], email="recommendation")
    assert elements(decision_for(shop_with(test=one), **CART)) == {}
    assert elements(decision_for(shop_with(test=one), **BORED)) == {"subject": "short"}


def test_without_an_experiment_nothing_is_told():
    decision = decision_for(shop_with(), **CART)
    assert (elements(decision), decision["experiments"]) == ({}, [])


def test_an_arm_of_send_hour_moves_the_hour():
    usual = decision_for(shop_with(), **BORED)
    assert usual["local_send_at"].hour != 19
    at_seven = forced("19", arms=["usual", "19"], factor="send_hour", email="recommendation")
    decision = decision_for(shop_with(test=at_seven), **BORED)
    assert decision["local_send_at"].hour == 19
    assert arm_of(decision, "recommendation")["hours"] < arm_of(usual, "recommendation")["hours"]
    assert "an experiment sends it at 19:00" in reasons_of(decision)["moved"]
    untouched = forced("usual", arms=["usual", "19"], factor="send_hour", email="recommendation")
    assert decision_for(shop_with(test=untouched), **BORED)["send_at"] == usual["send_at"]


def test_guardrails_hold_at_the_hour_of_an_experiment():
    at_seven = forced("19", arms=["usual", "19"], factor="send_hour", email="recommendation")
    # Written to an hour ago: nothing leaves for the rest of the day, and so not at 19:00 today.
    lately = [("cart_reminder", NOW - HOUR)]
    decision = decision_for(shop_with(test=at_seven), **BORED, mails=lately)
    assert decision["local_send_at"].hour == 19
    assert decision["local_send_at"].date() > NOW.date()
    forbidden = decision_for(shop_with(test=at_seven), **BORED, email_consent="denied")
    assert forbidden["action"] == "wait"


def test_an_experiment_keeps_no_mail_back_where_its_hour_is_not_open():
    at_seven = forced("19", arms=["usual", "19"], factor="send_hour")
    soon = {"deadline": NOW + 3 * HOUR}  # 14:00 by their clock
    decision = decision_for(shop_with(test=at_seven), **CART, asked=soon)
    usual = decision_for(shop_with(), **CART, asked=soon)
    assert (decision["action"], decision["send_at"]) == ("send", usual["send_at"])


def test_an_incentive_is_the_discount_and_counts_in_the_value():
    gives = forced("0.2", arms=["0", "0.2"], factor="incentive", email="recommendation")
    keeps = forced("0", arms=["0", "0.2"], factor="incentive", email="recommendation")
    with_it = decision_for(shop_with(test=gives), **BORED, asked={"emails": ["recommendation"]})
    without = decision_for(shop_with(test=keeps), **BORED, asked={"emails": ["recommendation"]})
    assert (with_it["discount_share"], without["discount_share"]) == (0.2, 0.0)
    cost = [arm_of(decision, "recommendation")["discount"] for decision in (with_it, without)]
    assert cost[0] > 0 and cost[1] == 0
    assert elements(with_it) == {}


def test_an_incentive_of_nothing_takes_the_coupon_along():
    dormant = {"days_since_order": 100.0, "silence_ratio": 9.0, "churn": 0.9}
    asked = {"emails": ["win_back_1"]}
    usual = decision_for(shop_with(), **dormant, asked=asked)
    assert usual["coupon"]
    none = forced("0", arms=["0", "0.3"], factor="incentive", email="win_back_1")
    assert decision_for(shop_with(test=none), **dormant, asked=asked)["coupon"] == ""


def test_the_held_out_get_no_arm_even_where_only_the_time_is_asked_for():
    shop = shop_with({"holdout_share": 1}, test=forced("a", arms=["a", "b"]))
    decision = decision_for(shop, **CART, asked={"emails": ["cart_reminder"]})
    assert decision["action"] == "send"
    assert (elements(decision), decision["experiments"]) == ({}, [])


ANN = """
    ann | consent  | 2025-01-01T00:00 | granted
    ann | order    | 2026-02-24T15:00 | bread | 12
    ann | cart_add | 2026-03-03T14:00 | bun
"""


def test_the_receipt_and_the_slots_tell_of_it():
    one = forced("short", arms=["short", "long"], email="*")
    got = answers(ANN, "ann", settings=shop_with(test=one)).row(0, named=True)
    assert got["slots"]["elements"] == [{"factor": "subject", "arm": "short"}]
    assert got["experiments"] == [
        {"experiment": "test", "arm": "short", "propensity": pytest.approx(0.99)}
    ]
    plain = answers(ANN, "ann", settings=shop_with()).row(0, named=True)
    assert (plain["slots"]["elements"], plain["experiments"]) == ([], [])
    # An experiment that only the template sees moves nothing that Onje decides.
    same = ("email", "send_at", "products", "value", "propensity")
    assert [got[name] for name in same] == [plain[name] for name in same]


def test_the_shares_that_a_bandit_learnt_reach_the_decision():
    bandit = experiment(arms=("a", "b"), split="bandit", shares=(), email="*")
    found = {
        decision_for(
            shop_with(test=bandit),
            **CART,
            conditions=learnt(test={"a": share, "b": 1 - share}),
        )["experiments"][0]["arm"]
        for share in (0.01, 0.99)
    }
    assert found == {"a", "b"}


def test_more_is_explored_in_the_first_days_and_the_receipt_says_which_share_held():
    from dataclasses import replace

    from serving.conditions import NO_CONDITIONS

    chance = {"explore_emails": 0.05, "explore_emails_at_first": 0.1, "first_days": 30}
    shop = shop_with(chance)

    def held(launched_at) -> float:
        conditions = replace(NO_CONDITIONS, launched_at=launched_at)
        return decision_for(shop, **CART, conditions=conditions)["explore_share"]

    assert held(None) == 0.1  # nothing was decided live yet: this is the first day
    assert held(NOW - 29 * 24 * HOUR) == 0.1
    assert held(NOW - 30 * 24 * HOUR) == 0.05
    never = decision_for(shop_with({**chance, "first_days": 0}), **CART)
    assert never["explore_share"] == 0.05
    nothing = decision_for(shop_with({**chance, "explore_emails": 0}), **CART)
    assert nothing["explore_share"] == 0


def test_a_day_by_day_life_keeps_its_arm():
    one = experiment(arms=("a", "b"), shares=(0.5, 0.5), email="*")
    days = [moment("2026-03-03T16:00"), moment("2026-03-04T01:00"), moment("2026-03-04T15:00")]
    told = pl.concat(answers(ANN, "ann", settings=shop_with(test=one), now=day) for day in days)
    arms = [one[0]["arm"] for one in told["experiments"].to_list()]
    assert len(set(arms)) == 1
