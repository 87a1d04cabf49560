"""What waiting costs and saves, what budgets cost, and that a receipt's parts are the value."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from serving.conditions import NO_CONDITIONS
from tests.serving.shop import NOW, arm_of, curve, decision_for, reasons_of, shop

EVEN = {"hours": curve(dict.fromkeys(range(24), 0.1)), "churn": None}
CART = {**EVEN, "cart_waiting_hours": 5.0, "cart_items": 2.0}
TEMPTED = {**CART, "days_since_order": 5.0}  # a recommendation applies too
PARTS = (
    "discount", "send_cost", "unsubscribe_cost", "mail_price", "coupon_price", "unsubscribe_price",
)  # fmt: skip
PRICED = replace(NO_CONDITIONS, mail_price=0.01, coupon_price=0.05, unsubscribe_price=3.0)


BUDGET = {"mails_per_day": 1, "coupons_per_week": 1, "unsubscribes_per_week": 1}
OF_BUDGET = {
    "mails_per_day": "mail_price",
    "coupons_per_week": "coupon_price",
    "unsubscribes_per_week": "unsubscribe_price",
}


def cart(settles_hours=6.0, conditions=NO_CONDITIONS, differs=CART, budget=BUDGET, **figures):
    given = {"half_life_hours": 1e9, "settles_hours": settles_hours, "discount": 0.05, **figures}
    settings = shop({}, {"cart_reminder": given}, budget=budget)
    return decision_for(settings, **differs, conditions=conditions)


def waited(decision):
    return (decision["send_at"] - NOW) / timedelta(hours=1)


def test_waiting_by_hand():
    # No haste, but half of those who finish their cart anyway have done so after 6 hours: it waits
    # for the last allowed minute. .12 clicks x .35 orders of 40, of which .6 come anyway.
    decision = cart()
    arm, hours = arm_of(decision, "cart_reminder"), waited(decision)
    assert hours > 5
    stays = 0.5 ** (hours / 6)
    still = 1 - 0.35 * 0.6 * (1 - stays)
    orders = 0.12 * 0.35
    assert arm["ordered_before"] == pytest.approx(1 - still)
    assert arm["margin"] == pytest.approx(orders * 0.4 * 40 * 0.25)
    assert arm["discount"] == pytest.approx(orders * (0.4 + 0.6 * stays) * 40 * 0.05)
    assert arm["send_cost"] == pytest.approx(0.001 * still)
    assert arm["unsubscribe_cost"] == pytest.approx(0.0005 * (2 + 0.02 * 50) * still)


def test_now_is_a_candidate_and_wins_where_waiting_saves_nothing():
    assert waited(cart(settles_hours=1e9)) == 0
    # What it gives away to those who come anyway is worth less than its freshness.
    assert waited(cart(half_life_hours=8.0)) == 0


def test_the_sooner_they_settle_the_less_is_given_away():
    arms = [arm_of(cart(settles), "cart_reminder") for settles in (2.0, 24.0, 1e9)]
    assert [arm["discount"] for arm in arms] == sorted(arm["discount"] for arm in arms)
    values = [arm["value"] for arm in arms]
    assert values == sorted(values, reverse=True)


def test_nothing_is_dropped_for_being_late():
    # An hour before its deadline it still goes.
    late = {**CART, "cart_waiting_hours": 23.0}
    assert waited(cart(differs=late)) <= 1


def test_a_question_of_time_asks_for_the_hour_that_draws_most():
    asked = {**CART, "asked": {"emails": ["cart_reminder"]}}
    assert waited(cart(differs=asked)) == waited(cart(settles_hours=1e9, differs=asked)) == 0


def test_prices_are_paid_by_whom_they_are_about():
    free, dear = (
        arm_of(cart(settles_hours=1e9, conditions=found), "cart_reminder")
        for found in (NO_CONDITIONS, PRICED)
    )
    assert (dear["mail_price"], dear["coupon_price"]) == (0.01, 0.05)
    assert dear["unsubscribe_price"] == pytest.approx(0.0005 * 3)
    assert dear["value"] == pytest.approx(free["value"] - 0.0615, abs=1e-6)
    plain = cart(settles_hours=1e9, conditions=PRICED, discount=0.0)
    assert arm_of(plain, "cart_reminder")["coupon_price"] == 0.0


def test_a_price_keeps_at_home_what_is_not_worth_it():
    assert cart(conditions=NO_CONDITIONS)["action"] == "send"
    assert cart(conditions=replace(NO_CONDITIONS, mail_price=10.0))["action"] == "wait"


@pytest.mark.parametrize("gone", OF_BUDGET)
def test_the_price_of_a_budget_that_was_taken_away_is_not_paid(gone):
    arm = arm_of(cart(conditions=PRICED, budget={**BUDGET, gone: 0}), "cart_reminder")
    assert {name for name in OF_BUDGET.values() if arm[name] == 0} == {OF_BUDGET[gone]}


def test_what_is_owed_pays_no_price():
    dear = replace(PRICED, mail_price=10.0)
    assert cart(conditions=dear)["action"] == "wait"
    owed = cart(conditions=dear, mail_class="transactional")
    assert owed["action"] == "send"
    assert {arm_of(owed, "cart_reminder")[price] for price in OF_BUDGET.values()} == {0.0}


def test_a_price_is_told_of_what_may_go_alone():
    dear = replace(NO_CONDITIONS, mail_price=10.0)
    assert set(reasons_of(cart(conditions=dear))) == {"budget_price", "not_worth_it"}
    denied = cart(conditions=dear, differs={**CART, "email_consent": "denied"})
    assert "consent" in reasons_of(denied) and "budget_price" not in reasons_of(denied)


@pytest.mark.parametrize("conditions", [NO_CONDITIONS, PRICED], ids=["free", "priced"])
@pytest.mark.parametrize("settles_hours", [1.0, 7.3, 1e9])
def test_the_parts_of_a_receipt_add_up_to_its_value(conditions, settles_hours):
    decision = cart(settles_hours, conditions, TEMPTED, half_life_hours=31.0)
    told = [arm for arm in decision["arms"] if arm["value"] is not None]
    assert len(told) > 1
    for arm in told:
        assert arm["value"] == pytest.approx(
            arm["margin"] - sum(arm[part] for part in PARTS), abs=1e-6
        )
