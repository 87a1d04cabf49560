"""Another e-mail than the usual best goes only if it is surely worth more."""

from __future__ import annotations

import polars as pl
import pytest

from serving.conditions import NO_CONDITIONS
from serving.evidence import stage_of, with_evidence
from serving.models import NO_MODELS
from serving.value import with_parts
from tests.serving.shop import shop

# Two e-mails that may go to one customer: what a click sells, and how often they click.
CLICKS = {"usual": (0.10, 0.10), "better": (0.14, 0.08)}  # theirs, everybody's


def arms(doubt_clicks=0.3, doubt_unsubscribes=0.3, brings=0.3, **better):
    rows = [
        {
            "row": 0, "arm": place, "place": place, "email": name,
            "forbidden_by": [], "mail_class": "marketing", "worth": None, "pull": 1.0,
            "waited": 0.0, "settles_hours": 1e9, "learnt": ["clicks"], "coupon": "",
            "learnt_clicks": theirs, "usual_clicks": everybodys, "learnt_orders": None,
            "learnt_brings": brings, "learnt_without": None, "learnt_redeemed": None,
            "learnt_reduced": None,
            "learnt_unsubscribes": 0.001, "usual_unsubscribes": 0.001,
            "doubt_clicks": doubt_clicks, "doubt_brings": 0.0,
            "doubt_unsubscribes": doubt_unsubscribes, "bought_anyway": 0.5, "churn": None,
            "basket_value": 40.0, "spend_365d": 200.0, "sends_7d": 0.0, "chance": None,
            "shown_price": None,
            "unsubscribe_rate": 0.001, "click_rate": 0.1, "orders_per_click": 0.3,
            "discount_share": 0.0, "send_cost": 0.001,
            **(better if name == "better" else {}),
        }
        for place, (name, (theirs, everybodys)) in enumerate(CLICKS.items())
    ]  # fmt: skip
    frame = pl.DataFrame(rows, infer_schema_length=None, schema_overrides={
        name: pl.Float64 for name in ("learnt_orders", "learnt_without", "learnt_redeemed",
                                      "learnt_reduced", "churn", "chance", "shown_price")
    })  # fmt: skip
    valued = with_parts(frame, shop({}, {}).policy, NO_CONDITIONS)
    value = valued["margin"] - valued["costs"]
    return valued.with_columns(value=value, worth=value)


def held_back(certainty=0.8, is_own=True, **figures):
    policy = shop({"gain_certainty": certainty}, {}).policy
    found = with_evidence(arms(**figures), policy, is_own=is_own)
    return found.filter("stands_back")["email"].to_list()


def test_a_gain_that_noise_could_be_stands_back():
    assert held_back(doubt_clicks=0.3) == ["better"]
    assert held_back(doubt_clicks=0.05) == []


def test_by_hand():
    # Margins .14 and .10 clicks x .3 x 40 x .25: the gain is .12, its error .3 x (.42, .30).
    error = 0.3 * (0.42**2 + 0.30**2) ** 0.5
    assert 0.12 / error == pytest.approx(0.775, abs=0.001)  # sure with the chance of .781
    assert held_back(certainty=0.77) == []
    assert held_back(certainty=0.79) == ["better"]


def test_half_is_whenever_it_seems_so():
    assert held_back(certainty=0.5, doubt_clicks=3.0) == []


def test_what_is_best_by_the_usual_rates_needs_no_proof():
    assert held_back(usual_clicks=0.2, doubt_clicks=3.0) == ["usual"]


def test_noise_of_unsubscribes_counts():
    assert held_back(doubt_clicks=0.05, learnt_unsubscribes=0.03, doubt_unsubscribes=0.0) == []
    noisy = {"learnt_unsubscribes": 0.03, "usual_unsubscribes": 0.03, "doubt_unsubscribes": 3.0}
    assert held_back(doubt_clicks=0.05, **noisy) == ["better"]


def test_clicks_that_were_learnt_hold_the_usual_fit():
    badly = arms(chance=0.0)
    assert badly["fit"][1] == pytest.approx(0.6)  # the merchant's figure would be 40 % less
    assert badly["clicks"][1] == arms()["clicks"][1] == 0.14
    alone = arms(chance=0.0, learnt_clicks=None, click_rate=0.1)
    assert alone["clicks"][1] == pytest.approx(0.06)


def test_a_discount_is_given_to_as_many_clickers_as_use_it():
    coupon = {"discount_share": 0.1, "learnt_orders": 0.5, "learnt_redeemed": 0.02}
    every, half, none = (
        arms(**coupon, learnt_reduced=share)["given_anyway"][1] for share in (1.0, 0.5, 0.0)
    )
    # .14 clicks, .2 orders of each would have come anyway; .02 orders without a click.
    assert every == pytest.approx((0.14 * 0.2 + 0.02) * 40 * 0.1)
    assert half == pytest.approx((0.14 * 0.1 + 0.02) * 40 * 0.1)
    assert none == pytest.approx(0.02 * 40 * 0.1)


def test_what_is_owed_and_other_policies_are_left_alone():
    assert held_back(mail_class="transactional") == []
    assert held_back(is_own=False) == []


def test_where_nothing_is_learnt_the_merchant_decides():
    assert stage_of(NO_MODELS) == "A"
    assert held_back(learnt=[]) == ["better"]  # the other one is learnt
    frame = arms().with_columns(learnt=pl.lit([], pl.List(pl.String)))
    found = with_evidence(frame, shop({}, {}).policy, is_own=True)
    assert not found["stands_back"].any()
