"""Each invariant finds the decision that breaks it, and only that one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

from serving.answer import decisions_of
from serving.conditions import NO_CONDITIONS
from serving.invariants import (
    BrokenInvariant,
    assert_invariants,
    broken_invariants,
    grounds_of,
)
from serving.knowledge import Knowledge
from serving.models import NO_MODELS
from serving.scores import scores_of
from serving.tables import MAIL
from serving.valuation import OWN
from tests.serving.histories import FEATURES, NO_MAIL, customers, history, requests, shelf
from tests.serving.shop import NEW_YORK, NOW, SHOP, shop
from tests.spec.workflows.lives import SHOP as WITH_WORKFLOWS

HOUR = timedelta(hours=1)
LIVES = """
    ann | consent  | 2025-01-01T00:00 | granted
    ann | order    | 2026-02-20T15:00 | milk | 12
    ann | cart_add | 2026-03-03T12:00 | soap
    bob | consent  | 2025-01-01T00:00 | granted
    bob | cart_add | 2026-03-03T12:00 | bun
    cem | cart_add | 2026-03-03T12:00 | bun
"""
CHANCE = shop({"explore_emails": 0.5, "explore_hours": 0.5}, {})


def world(text=LIVES, *, settings=SHOP, mail=NO_MAIL):
    """Decisions for ann, bob and cem, and what they were made from."""
    knowledge = Knowledge(
        history=history(text),
        customers=customers("ann", "bob", "cem", zone=NEW_YORK),
        products=shelf(),
        mail=mail,
        conditions=NO_CONDITIONS,
        lake_versions={},
    )
    asked = requests("ann", "bob", "cem")
    spine = asked.select("customer_id", "as_of")
    scores = scores_of(spine, knowledge, NO_MODELS, settings=settings, feature_settings=FEATURES)
    made = decisions_of(
        asked, knowledge, NO_MODELS, scores, settings=settings, feature_settings=FEATURES,
        valuation=OWN,
    )  # fmt: skip
    return made, grounds_of(knowledge, scores)


def of(customer, **values):
    """The decisions with another value for one customer."""

    def change(made):
        is_theirs = pl.col("customer_id") == customer
        return made.with_columns(
            pl.when(is_theirs)
            .then(pl.lit(value, made.schema[name]) if not isinstance(value, pl.Expr) else value)
            .otherwise(pl.col(name))
            .alias(name)
            for name, value in values.items()
        )

    return change


def rules(made, grounds, settings=SHOP):
    return [(rule[:2], who) for rule, who in broken_invariants(made, grounds, settings).rows()]


@pytest.mark.parametrize("settings", [SHOP, CHANCE], ids=["usual", "chance"])
def test_what_onje_decides_breaks_none(settings):
    made, grounds = world(settings=settings)
    assert made["action"].to_list()[:2] == ["send", "send"] or settings is CHANCE
    assert_invariants(made, grounds, settings)
    assert_invariants(made.clear(), grounds, settings)


NIGHT = {"send_at": NOW + 14 * HOUR, "local_send_at": (NOW + 9 * HOUR).replace(tzinfo=None)}
CHANGED = {
    "I2 before now": ("I2", of("ann", send_at=NOW - HOUR)),
    "I2 at night": ("I2", of("ann", **NIGHT)),
    "I2 after it is worth anything": ("I2", of("ann", valid_until=NOW - HOUR)),
    "I2 a zone nobody knows": ("I2", of("ann", timezone_known=False)),
    "I4 two answers": ("I4", lambda made: pl.concat([made, made.filter(customer_id="ann")])),
    "I6 sold out": ("I6", of("ann", products=["cheese"])),
    "I6 not released": ("I6", of("ann", products=["kefir"])),
    "I6 unheard of": ("I6", of("ann", products=["soap", "unicorn"])),
    "I7 no reason": ("I7", of("ann", because=pl.col("because").list.head(0))),
    "I7 no chance": ("I7", of("ann", propensity=None)),
    "I7 no age": ("I7", of("ann", known_until=None)),
    "I7 no version": ("I7", of("ann", versions="{}")),
    "I8 an arm that is not there": ("I8", of("ann", arms=pl.col("arms").list.head(0))),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_planted_fault_is_found(name):
    rule, change = CHANGED[name]
    made, grounds = world()
    found = rules(change(made), grounds)
    assert set(found) == {(rule, "d ann")}
    with pytest.raises(BrokenInvariant, match="d ann"):
        assert_invariants(change(made), grounds, SHOP)


def test_who_must_not_be_mailed_is_found_by_two_rules():
    made, grounds = world()
    for act, by in (("unsubscribe", {"I1", "I5"}), ("bounce", {"I1"}), ("erase", {"I1", "I5"})):
        later, new = world(f"{LIVES}\n    ann | {act} | 2026-03-03T13:00 | hard")
        assert later["action"].item(0) == "wait"
        assert {rule for rule, _ in rules(made, new)} == by
    assert rules(made, replace(grounds, people=grounds.people.clear()))[0][0] == "I1"


def test_a_consent_that_was_never_given_is_found():
    made, grounds = world()
    as_if = made.filter(customer_id="bob").with_columns(
        customer_id=pl.lit("cem"), decision_id=pl.lit("d cem")
    )
    assert ("I1", "d cem") in rules(as_if, grounds)


def promised(*hours):
    rows = [
        {"customer_id": "ann", "decision_id": f"p{n}", "email": "x", "at": NOW + h * HOUR}
        for n, h in enumerate(hours)
    ]
    return pl.DataFrame(rows, schema=MAIL)


@pytest.mark.parametrize(
    ("hours", "breaks"),
    [([-25], False), ([-23], True), ([10], True), ([19.5], True), ([25], False),
     ([-30, -60], False), ([-30, -60, -90], True), ([-30, -60, 100], True),
     ([-30, -60, -169], False), ([-50 - 80 * n for n in range(8)], True),
     ([-50 - 80 * n for n in range(7)], False)],
)  # fmt: skip
def test_a_broken_cap_is_found(hours, breaks):
    made, grounds = world()
    at_noon = of("ann", send_at=NOW, local_send_at=(NOW - 5 * HOUR).replace(tzinfo=None))(made)
    found = rules(at_noon, replace(grounds, mail=promised(*hours)))
    assert found == ([("I3", "d ann")] if breaks else [])


def test_what_was_just_bought_is_found_unless_it_is_due_or_their_own_choice():
    text = f"{LIVES}\n    ann | order | 2026-03-01T15:00 | bread | 3"
    made, grounds = world(text)
    offered = of("ann", products=["bread"])(made)
    assert rules(offered, grounds) == []  # a cart reminder shows their own choice
    by_us = of("ann", email="recommendation", products=["bread"])(made)
    assert ("I6", "d ann") in rules(by_us, grounds)
    due = grounds.items.with_columns(
        due_ratio=pl.when(pl.col("item") == "bread").then(1.0).otherwise("due_ratio")
    )
    assert ("I6", "d ann") not in rules(by_us, replace(grounds, items=due))


def test_the_message_names_rule_and_decisions():
    made, grounds = world()
    broken = of("bob", products=["cheese"])(made)
    with pytest.raises(BrokenInvariant) as told:
        assert_invariants(broken, grounds, SHOP)
    assert "I6 products can be offered (broken by 1: d bob)" in str(told.value)
    assert "nothing is published" in str(told.value)
    assert json.loads(made["versions"].item(0))["policy"]


def by_law(jurisdiction):
    return pl.col("slots").struct.with_fields(legal=pl.lit(jurisdiction))


def test_consent_that_the_law_calls_old_is_found():
    made, grounds = world()
    korean = of("ann", email="recommendation", slots=by_law("KR"))(made)
    american = of("ann", slots=by_law("US"))(korean)
    years = (NOW - 800 * 24 * HOUR, NOW - 700 * 24 * HOUR, None)
    for confirmed, breaks in zip(years, (True, False, True), strict=True):
        people = grounds.people.with_columns(
            consent_confirmed_at=pl.lit(confirmed, grounds.people.schema["consent_confirmed_at"])
        )
        found = rules(korean, replace(grounds, people=people))
        assert (("I1", "d ann") in found) is breaks
        assert ("I1", "d ann") not in rules(american, replace(grounds, people=people))


def test_marketing_under_a_stopped_brake_is_found():
    made, grounds = world()
    sells = of("ann", email="recommendation")(made)
    stopped = replace(NO_CONDITIONS, delivered_7d=100_000, complaints_7d=90_000)
    assert ("I1", "d ann") not in rules(sells, grounds)
    assert ("I1", "d ann") in rules(sells, replace(grounds, conditions=stopped))


# Let go after 30 days of silence: today is the 3rd of March.
LET_GO = """
    ann | order | 2025-09-20T15:00 | milk | 12
    ann | send  | 2026-01-10T15:00 | win_back_1
    ann | send  | {last} | opt_in_renewal
    bob | view  | 2026-03-03T12:00 | bun
"""


@pytest.mark.parametrize(
    ("last", "sign", "breaks"),
    [
        ("2026-01-24T15:00", "", True),
        ("2026-02-02T15:00", "", False),  # not yet
        ("2025-12-24T15:00", "", False),  # of a round before
        ("2026-01-24T15:00", "ann | view | 2026-02-03T15:00 | milk", False),
        ("2026-01-24T15:00", "ann | bounce | 2026-02-03T15:00 | soft", True),
        ("2026-01-24T15:00", "bob | view | 2026-02-03T15:00 | milk", True),
    ],
)
def test_marketing_to_whom_silence_let_go_is_found(last, sign, breaks):
    made, grounds = world()
    sells = of("ann", email="newsletter")(made)
    lived = replace(grounds, history=history(f"{LET_GO.format(last=last)}    {sign}"))
    found = [
        who for rule, who in broken_invariants(sells, lived, WITH_WORKFLOWS).rows()
        if rule == "I1 whom silence let go is left in peace"
    ]  # fmt: skip
    assert found == (["d ann"] if breaks else [])
    served = of("ann", email="thanks")(made)
    told = broken_invariants(served, lived, WITH_WORKFLOWS)["rule"]
    assert "I1 whom silence let go is left in peace" not in set(told)
