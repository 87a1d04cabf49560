"""What an e-mail is worth: the recommendation of the shop, by hand."""

from __future__ import annotations

import pytest

from tests.serving.histories import answers
from tests.serving.shop import arm_of, curve, decision_for, reasons_of, shop

# Every hour alike and no haste, so that the pull is 1; no churn known, so bought_anyway holds.
EVEN = {"hours": curve(dict.fromkeys(range(24), 0.1)), "days_since_order": 5.0, "churn": None}
PLAIN = shop(
    {"fatigue": 0.5},
    {"recommendation": {"half_life_hours": 1e9, "discount": 0.1, "unsubscribe_rate": 0.001}},
)


def arm(settings=PLAIN, **differs):
    return arm_of(decision_for(settings, **EVEN | differs), "recommendation")


def test_the_value_by_hand():
    # .05 clicks x .3 orders, of which 40 % are its doing, of a basket of 40 with a margin of .25;
    # 10 % of the basket given away; unsubscribes cost 2 and a fiftieth of the year's 50 of margin.
    found = arm()
    assert found["clicks"] == pytest.approx(0.05)
    assert found["orders"] == pytest.approx(0.015)
    assert found["margin"] == pytest.approx(0.015 * 0.4 * 40 * 0.25)
    assert found["discount"] == pytest.approx(0.015 * 40 * 0.1)
    assert found["unsubscribe_cost"] == pytest.approx(0.001 * (2 + 0.02 * 50))
    assert found["value"] == pytest.approx(0.06 - 0.06 - 0.001 - 0.003)


def test_a_customer_who_stays_would_have_ordered_anyway():
    assert arm(churn=1.0)["margin"] == pytest.approx(0.015 * 40 * 0.25)  # all of it is its doing
    assert arm(churn=0.5)["margin"] == pytest.approx(0.015 * 0.7 * 40 * 0.25)
    assert arm(churn=0.0)["margin"] == pytest.approx(arm(churn=None)["margin"])


def test_each_recent_mail_makes_an_unsubscribe_likelier():
    assert arm(sends_7d=3.0)["unsubscribes"] == pytest.approx(0.001 * 2.5)


def test_fit_moves_clicks_about_an_even_chance():
    for chance, missed in ((0.0, 1.0), (0.5, 0.5**6)):
        expected = 1 + 0.8 * ((1 - missed) - 0.5)
        assert arm(chance=chance)["fit"] == pytest.approx(expected)
    assert arm(chance=None)["fit"] == 1.0


def test_who_has_not_ordered_yet_has_a_typical_basket():
    assert arm(basket_value=None)["margin"] == pytest.approx(0.015 * 0.4 * 30 * 0.25)


def test_an_order_that_it_brings_holds_one_of_the_products_shown():
    plain = {"recommendation": {"half_life_hours": 1e9, "discount": 0.1}}
    halves = shop({"products_per_order": 2}, plain)
    usual, dear = arm(halves, price=None), arm(halves, price=60.0)
    assert usual["margin"] == pytest.approx(0.015 * 0.4 * 40 * 0.25)
    assert dear["margin"] == pytest.approx(0.015 * 0.4 * (20 + 60) * 0.25)
    # What comes anyway is as usual: .6 of the orders, of 40 each.
    assert dear["discount"] == pytest.approx(0.015 * (0.4 * (20 + 60) + 0.6 * 40) * 0.1)
    assert arm(price=60.0)["margin"] == usual["margin"]  # 0 = whatever is shown
    # Where an order is one product, it is the one that is shown.
    alone = shop({"products_per_order": 0.5}, plain)
    assert arm(alone, price=60.0)["margin"] == pytest.approx(0.015 * 0.4 * 60 * 0.25)


def test_a_mail_worth_less_than_none_stays_at_home():
    decision = decision_for(PLAIN, **EVEN)
    assert decision["action"] == "wait"
    assert reasons_of(decision) == {
        "not_worth_it": "recommendation, the best e-mail, is worth -0.004 USD"
    }
    assert decision["unconstrained_best"] is None
    # Whoever asks for this one e-mail has decided that already.
    asked = decision_for(PLAIN, **EVEN, asked={"emails": ["recommendation"]})
    assert asked["action"] == "send"


def test_more_of_a_good_thing_is_worth_more():
    plain = shop({}, {})
    values = [arm(plain, basket_value=basket)["value"] for basket in (20.0, 40.0, 80.0)]
    assert values == sorted(values) and values[0] < values[-1]


def test_the_variant_is_dealt_for_good_and_to_both_halves():
    names = [f"customer {number}" for number in range(200)]
    told = "\n".join(f"{name} | consent | 2025-01-01T00:00 | granted" for name in names)
    asked = {"emails": ["recommendation"]}
    dealt = answers(told, *names, **asked)["variant"].to_list()
    assert dealt == answers(told, *names, **asked)["variant"].to_list()
    assert 70 < dealt.count("grid") < 130
