"""What is owed goes first, and chance has no part in it."""

from __future__ import annotations

from datetime import date

import pytest

from tests.serving.shop import arm_of, decision_for, reasons_of, shop

CART = {"cart_waiting_hours": 2.0, "cart_items": 1.0}
BOTH = {**CART, "unreviewed_order_days": 8.0}
OWED = {"review_request": {"mail_class": "transactional", "click_rate": 0.0, "send_cost": 5.0}}
CHANCE = {"holdout_share": 1.0, "explore_emails": 1.0, "explore_hours": 1.0}


def test_what_is_owed_goes_before_what_is_worth_more():
    assert decision_for(shop({}, {}), **BOTH)["email"] == "cart_reminder"
    decision = decision_for(shop({}, OWED), **BOTH)
    assert (decision["email"], decision["propensity"]) == ("review_request", 1.0)
    assert arm_of(decision, "cart_reminder")["propensity"] == 0.0


def test_neither_the_holdout_nor_chance_keeps_it():
    decision = decision_for(shop(CHANCE, OWED), **BOTH)
    assert (decision["email"], decision["propensity"]) == ("review_request", 1.0)
    assert not decision["holdout"] and not decision["explored_email"]
    assert not decision["explored_hour"] and decision["wait_propensity"] == 0.0


def test_the_holdout_gets_nothing_else():
    decision = decision_for(shop(CHANCE, OWED), **CART)
    assert decision["holdout"] and set(reasons_of(decision)) == {"holdout"}


def test_what_is_owed_does_not_go_where_it_does_not_arrive():
    decision = decision_for(shop({}, OWED), **BOTH, suppressed_by="bounce")
    assert decision["action"] == "wait"
    assert decision_for(shop({}, OWED), **BOTH, suppressed_by="complaint")["action"] == "send"


EVERYBODY = {
    "email": "*", "split": "fixed", "shares": (0.01, 0.99), "metric": "click",
    "started_on": date(2026, 3, 1), "ends_on": date(2026, 3, 31), "outcome_days": 7, "share": 1.0,
    "seed": 1,
}  # fmt: skip
WHAT_ARMS_SET = ("send_at", "elements", "discount_share", "coupon")


@pytest.mark.parametrize(
    ("factor", "arms"),
    [("send_hour", ("usual", "19")), ("incentive", ("0", "0.01")), ("subject", ("plain", "loud"))],
)
def test_no_experiment_touches_what_is_owed(factor, arms):
    """Ann is in the second arm: a mail that sells is moved, or gives something away."""
    one = {**EVERYBODY, "factor": factor, "arms": arms}
    for is_owed in (True, False):
        usual, tried = (
            decision_for(shop({}, OWED if is_owed else {}, experiments=experiments), **BOTH)
            for experiments in ({}, {"test": one})
        )
        assert tried["email"] == usual["email"]
        told = [[what[name] for name in WHAT_ARMS_SET] for what in (usual, tried)]
        assert (told[0] == told[1]) == is_owed
