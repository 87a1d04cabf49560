"""Every setting that decides changes a decision in some world; impossible ones are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from serving.conditions import NO_CONDITIONS
from serving.hours import usual_of
from serving.settings import ServingSettings
from tests.serving.drawn import moment
from tests.serving.histories import answers
from tests.serving.shop import HOUR, NOW, SHOP, caps, curve, decision_for, shop
from tests.training.hours import acts_at, by_hand
from training.model.hours import score_hours

World = Callable[[ServingSettings], Any]

# What a sender or a customer can see of a decision.
SEEN = (
    "action", "email", "variant", "by", "send_at", "products", "discount_share", "coupon", "tone",
    "valid_until",
)  # fmt: skip
BORED = {"days_since_order": 5.0}  # a recommendation applies
CART = {"cart_waiting_hours": 5.0, "cart_items": 2.0}
# They would click twice as often on the cart's mail, everybody else half as often; all is guessed
# from few mails.
BELIEVED = {
    email: {"learnt_clicks": theirs, "usual_clicks": usual, "doubt_clicks": 0.3}
    for email, theirs, usual in (("recommendation", 0.1, 0.2), ("cart_reminder", 0.2, 0.1))
}
# Whose unsubscribe would cost much, and who may well order anyway before it leaves.
DEAR = {"hours": curve(dict.fromkeys(range(24), 0.1)), "spend_365d": 10_000.0, "churn": 0.0}
RHYTHM = """
    ann | consent | 2025-01-01T00:00 | granted
    ann | order   | 2026-02-20T15:00 | milk | 12
    ann | order   | 2026-02-25T15:00 | milk | 12
    ann | order   | 2026-02-27T15:00 | soap | 12
"""


def seen(settings: ServingSettings, **world: Any) -> tuple[Any, ...]:
    decision = decision_for(settings, **world)
    return tuple(decision[name] for name in SEEN)


def mails(*hours_ago: float, email: str = "newsletter") -> list[tuple[str, Any]]:
    return [(email, NOW - hours * HOUR) for hours in hours_ago]


def asked_for(name: str, settings: ServingSettings) -> tuple[Any, ...]:
    got = answers(RHYTHM, "ann", settings=settings, emails=[name])
    return got["send_at"].item(), got["products"].item().to_list()


def by_their_hours(settings: ServingSettings) -> tuple[Any, ...]:
    """Of somebody who was about at 17:00 some times, as a model sees it."""
    ann = pl.DataFrame({"customer_id": ["ann"], "as_of": [NOW], "segment": ["loyal"]}).with_columns(
        pl.col("as_of").cast(pl.Datetime("us", "UTC"))
    )
    acts = acts_at((17, 3.0), customer="ann", as_of=NOW)
    return seen(
        settings, **BORED, hours=score_hours(by_hand(), acts, ann, usual_of(settings.policy))
    )


recommendation = partial(asked_for, "recommendation")
bored = partial(seen, **BORED)

# Setting -> another value, a world in which it matters, and what else is so in that world.
POLICY: Mapping[str, tuple[Any, World, Mapping[str, Any]]] = {
    "quiet_from_hour": (18, partial(bored, hours=curve({10: 0.1, 19: 0.9})), {}),
    "quiet_until_hour": (9, partial(bored, hours=curve({10: 0.1, 8: 0.9})), {}),
    "default_hour": (15, bored, {}),
    "allowed_days": (("wed",), bored, {}),
    "recently_bought_days": (1, recommendation, {}),
    "due_share": (2, recommendation, {}),
    "margin": (0, bored, {}),
    "typical_basket": (0, partial(bored, basket_value=None), {}),
    "products_per_order": (2, partial(bored, price=500.0), {"mailable_value": 142}),
    "mailable_value": (1000, bored, {}),
    "mailable_share": (1, partial(bored, spend_365d=2000.0), {}),
    "fatigue": (100, partial(bored, sends_7d=3.0), {}),
    "hour_pull": (2, bored, {}),
    "hour_certainty": (0.999, by_their_hours, {}),
    "fit_weight": (0, partial(bored, chance=0.9), {"mailable_value": 142}),
    "gain_certainty": (0.99, partial(bored, **CART, learnt=BELIEVED), {}),
    "reservation_hours": (1, bored, {}),
    "ask_again_hours": (12, seen, {}),
    "holdout_share": (1, bored, {}),
    "explore_emails": (1, partial(bored, **CART), {}),
    "explore_emails_at_first": (
        1,
        partial(bored, **CART),
        {"first_days": 30, "explore_emails": 1e-9},
    ),
    "first_days": (
        30,
        partial(bored, **CART),
        {"explore_emails_at_first": 1, "explore_emails": 1e-9},
    ),
    "explore_hours": (1, bored, {}),
    "seed": (2, recommendation, {}),
}

# The same for the recommendation, on its own; parameters of triggers: tests/spec/triggers.
EMAIL: Mapping[str, tuple[Any, World]] = {
    "trigger": ("welcome", bored),
    "mail_class": ("service", partial(bored, mails=mails(10))),
    "stages": (("buy",), bored),
    "when": ("orders > 5", bored),
    "by_human": (("loyal",), bored),
    "enabled": (False, bored),
    "at_once": (True, partial(bored, hours=curve({11: 0.9}))),
    "delay_hours": (5, partial(bored, hours=curve({11: 0.9}))),
    "deadline_hours": (3, bored),
    "half_life_hours": (1, partial(bored, hours=curve({17: 0.9}))),
    "settles_hours": (6, partial(bored, **DEAR)),
    "repeat_days": (1, partial(bored, mails=mails(80, email="recommendation"))),
    "variants": (("another",), bored),
    "products": (2, bored),
    "click_rate": (0, bored),
    "orders_per_click": (0, bored),
    "bought_anyway": (1, partial(bored, churn=0.0)),
    "unsubscribe_rate": (1, bored),
    "discount": (0.9, bored),
    "discount_most": (0.9, partial(bored, silence_ratio=8.0)),
    "send_cost": (100, bored),
    "coupon": ("ten", bored),
    "tone": ("lively", bored),
    "parameters": ({"orders": 6, "silent_days": 3}, bored),
}

# Class of e-mails -> setting -> another value, when which mails left, and what else is so.
SERVED = {"recommendation": {"mail_class": "service"}}
MAILS_OF_CLASS = {"marketing": "newsletter", "service": "recommendation"}
CAPS: Mapping[str, tuple[float, tuple[float, ...], Mapping[str, Any]]] = {
    "per_24h": (2, (-10,), {"per_24h": 1, "min_gap_hours": 0}),
    "per_7d": (4, (30, 60, 90), {"per_7d": 3}),
    "per_30d": (9, tuple(range(200, 200 + 8 * 60, 60)), {"per_7d": 8}),
    "min_gap_hours": (30, (25,), {}),
}


@pytest.mark.parametrize("of_class", ["marketing", "service"])
@pytest.mark.parametrize("name", CAPS)
def test_each_cap_changes_a_decision(of_class, name):
    other, ago, given = CAPS[name]
    emails = {"recommendation": {"mail_class": of_class, "repeat_days": 0}}
    ready = partial(seen, **BORED, mails=mails(*ago, email=MAILS_OF_CLASS[of_class]))
    before = shop({}, emails, caps=caps(**{of_class: given}))
    after = shop({}, emails, caps=caps(**{of_class: {**given, name: other}}))
    assert ready(before) != ready(after)


# Between the classes: an e-mail of service after one of marketing.
BETWEEN: Mapping[str, tuple[float, World]] = {"min_gap_hours": (0, partial(bored, mails=mails(5)))}


@pytest.mark.parametrize("name", BETWEEN)
def test_the_peace_between_the_classes_changes_a_decision(name):
    other, world = BETWEEN[name]
    assert world(shop({}, SERVED)) != world(shop({}, SERVED, caps=caps(all={name: other})))


# Setting of the brake -> another value, complaints of e-mails delivered.
BRAKE: Mapping[str, tuple[float, int, int, World]] = {
    "halve_at": (0.0001, 2, 5000, partial(bored, mails=mails(30))),
    "stop_at": (0.001, 5, 5000, bored),
    "least_delivered": (1, 1, 50, bored),
}


@pytest.mark.parametrize("name", BRAKE)
def test_each_setting_of_the_brake_changes_a_decision(name):
    other, complaints, delivered, world = BRAKE[name]
    found = replace(NO_CONDITIONS, complaints_7d=complaints, delivered_7d=delivered)
    other_brake = {**SHOP.brake.model_dump(), name: other}
    assert world(SHOP, conditions=found) != world(shop({}, {}, brake=other_brake), conditions=found)


LONG_AGO = moment("2020-05-01T00:00")
LAW: Mapping[str, tuple[Any, World]] = {
    "default_country": ("KR", partial(bored, country=None, consent_confirmed_at=LONG_AGO)),
    "silence_ends_consent": (False, partial(bored, country="KR", consent_confirmed_at=LONG_AGO)),
}


@pytest.mark.parametrize("name", LAW)
def test_each_setting_of_the_law_changes_a_decision(name):
    other, world = LAW[name]
    assert world(SHOP) != world(shop({}, {}, law={**SHOP.law.model_dump(), name: other}))


IMPOSSIBLE_TABLES = [
    ({"caps": caps(service={"per_24h": 9})}, "write per_24h <= per_7d <= per_30d"),
    ({"brake": {**SHOP.brake.model_dump(), "halve_at": 0.5}}, "write halve_at <= stop_at"),
    ({"law": {**SHOP.law.model_dump(), "default_country": "Korea"}}, "default_country"),
    ({"caps": {"marketing": {}}}, "Field required"),
]


@pytest.mark.parametrize(("tables", "said"), IMPOSSIBLE_TABLES, ids=str)
def test_impossible_tables_are_refused(tables, said):
    with pytest.raises(ValidationError, match=said):
        shop({}, {}, **tables)


@pytest.mark.parametrize("name", POLICY)
def test_each_setting_of_the_policy_changes_a_decision(name):
    other, world, given = POLICY[name]
    assert world(shop(given, {})) != world(shop({**given, name: other}, {}))


@pytest.mark.parametrize("name", EMAIL)
def test_each_setting_of_an_email_changes_a_decision(name):
    other, world = EMAIL[name]
    change = {name: other}
    if name == "trigger":  # its parameters are its own
        change["parameters"] = SHOP.emails[other].parameters
    assert world(SHOP) != world(shop({}, {"recommendation": change}))


IMPOSSIBLE = [
    ({"default_hour": 22}, {}, "default_hour 22 lies in the quiet hours from 21 until 8"),
    ({}, {"welcome": {"trigger": "welcom"}}, "no trigger is called welcom; did you mean welcome?"),
    ({}, {"welcome": {"parameters": {"within": 3}}}, "missing: within_days; unknown: within"),
    ({}, {"welcome": {"variants": ["a", "a"]}}, "each variant once; found a, a"),
    ({}, {"welcome": {"delay_hours": 30}}, "delay_hours 30 leaves no time before"),
    ({"margin": float("nan")}, {}, "finite number"),
]


@pytest.mark.parametrize(("policy", "emails", "said"), IMPOSSIBLE, ids=str)
def test_what_cannot_be_is_refused_in_words(policy, emails, said):
    with pytest.raises(ValidationError, match=said.replace("?", r"\?")):
        shop(policy, emails)


def test_the_version_of_the_policy_follows_what_decides():
    assert shop({}, {}).policy_version == SHOP.policy_version
    assert shop({"seed": 2}, {}).policy_version != SHOP.policy_version
    turned = SHOP.model_copy(update={"emails": dict(reversed(SHOP.emails.items()))})
    assert (
        ServingSettings.model_validate(
            turned.model_dump(exclude={"service", "access"})
            | {"service": SHOP.service, "access": SHOP.access}
        ).policy_version
        != SHOP.policy_version
    )  # the order breaks ties, so it decides
