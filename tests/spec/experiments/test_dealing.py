"""Who is in which arm: for good, in the shares that the merchant wrote, and by nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from math import sqrt
from typing import Any

import polars as pl
import pytest

from serving.assignment import assigned, with_arms_of_experiments
from serving.candidates import candidates_of
from serving.experiments import in_holdout
from tests.serving.shop import NOW, customer, questions_about
from tests.spec.experiments.dealing import (
    CART,
    PEOPLE,
    arms_by_customer,
    dealt,
    experiment,
    learnt,
    shop_with,
)

THREE_ARMS = shop_with(subject=experiment())
# Setting -> another value, and what else is so: who is dealt what, and told of which e-mail.
SETTINGS: Mapping[str, tuple[Any, Mapping[str, Any]]] = {
    "email": ("welcome", {}),
    "factor": ("cta", {}),
    "arms": (("plain", "question", "poem"), {}),
    "split": ("bandit", {"shares": ()}),
    "shares": ((0.2, 0.3, 0.5), {}),
    "started_on": (date(2026, 3, 4), {}),
    "ends_on": (date(2026, 3, 2), {}),
    "share": (0.5, {}),
    "seed": (2, {}),
}


def is_about(found: int, share: float, of: int, *, sigmas: float = 3) -> bool:
    return abs(found - share * of) <= sigmas * sqrt(of * share * (1 - share))


def test_each_arm_gets_its_share_of_twenty_thousand_customers():
    counts = dict(dealt(THREE_ARMS).group_by("arm").len().iter_rows())
    assert sum(counts.values()) == 20_000
    for arm, share in (("plain", 0.5), ("question", 0.3), ("emoji", 0.2)):
        assert is_about(counts[arm], share, 20_000), (arm, counts)


def test_a_customer_stays_in_their_arm_whenever_and_with_whomever_they_are_asked_about():
    first = arms_by_customer(dealt(THREE_ARMS))
    later = arms_by_customer(dealt(THREE_ARMS, now=NOW + timedelta(days=20)))
    assert first == later
    alone = dealt(THREE_ARMS, ["customer 7"])
    assert alone["arm"].item() == first["customer 7"]
    backwards = arms_by_customer(dealt(THREE_ARMS, reversed(PEOPLE[:100])))
    assert backwards == {name: first[name] for name in PEOPLE[:100]}


def test_the_chance_of_the_arm_is_told():
    chances = dict(dealt(THREE_ARMS).select("arm", "propensity").unique().iter_rows())
    assert chances == {"plain": 0.5, "question": 0.3, "emoji": 0.2}


def test_two_experiments_know_nothing_of_each_other():
    both = shop_with(subject=experiment(), cta=experiment(factor="cta"))
    frame = dealt(both)
    crossed = (
        frame.filter(pl.col("experiment") == "subject")
        .join(frame.filter(pl.col("experiment") == "cta"), on="customer_id", suffix="_of_cta")
        .group_by("arm", "arm_of_cta")
        .len()
    )
    shares = {"plain": 0.5, "question": 0.3, "emoji": 0.2}
    assert crossed.height == 9
    for arm, other, count in crossed.iter_rows():
        assert is_about(count, shares[arm] * shares[other], 20_000, sigmas=4), (arm, other, count)
    # And one that comes or goes moves nobody in the other.
    of_subject = frame.filter(pl.col("experiment") == "subject")
    assert arms_by_customer(of_subject) == arms_by_customer(dealt(THREE_ARMS))


def test_only_the_share_of_customers_that_it_is_about_takes_part():
    some = dealt(shop_with(subject=experiment(share=0.25)))
    assert is_about(some.height, 0.25, 20_000)
    # Who is in it already is in it when it grows, and in the same arm.
    more = arms_by_customer(dealt(shop_with(subject=experiment(share=0.5))))
    assert arms_by_customer(some).items() <= more.items()


def test_another_seed_or_name_deals_anew():
    first = arms_by_customer(dealt(THREE_ARMS))
    for other in (shop_with(subject=experiment(seed=2)), shop_with(headline=experiment())):
        second = arms_by_customer(dealt(other))
        same = sum(first[name] == second[name] for name in PEOPLE)
        assert is_about(same, 0.5**2 + 0.3**2 + 0.2**2, 20_000, sigmas=4)


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_changes_who_is_dealt_what(name):
    other, given = SETTINGS[name]
    customers = questions_about([customer(**CART)] * 20, THREE_ARMS).with_columns(
        customer_id=pl.Series(PEOPLE[:20])
    )

    def told(settings):
        dealt_to = assigned(customers, settings, learnt(subject={"plain": 0.01, "question": 0.01,
                                                                 "emoji": 0.98}))  # fmt: skip
        return with_arms_of_experiments(candidates_of(customers, settings), dealt_to).select(
            "row", "email", "elements"
        )

    changed = shop_with(subject=experiment(**{**given, name: other}))
    assert not told(THREE_ARMS).equals(told(changed))


@pytest.mark.parametrize(("days", "runs"), [(-3, False), (-2, True), (28, True), (29, False)])
def test_it_runs_from_its_first_day_to_its_last(days, runs):
    # Today is the 3rd of March; the experiment runs from the 1st to the 31st.
    assert bool(dealt(THREE_ARMS, PEOPLE[:5], now=NOW + timedelta(days=days)).height) == runs


def test_who_is_held_out_is_in_no_experiment():
    shop = shop_with({"holdout_share": 0.3}, subject=experiment())
    held_out = set(pl.Series(PEOPLE).filter(in_holdout(pl.Series(PEOPLE), shop.policy)))
    there = set(dealt(shop)["customer_id"])
    assert held_out and there == set(PEOPLE) - held_out


BANDIT = shop_with(subject=experiment(split="bandit", shares=()))


def test_a_bandit_deals_alike_until_it_has_learnt_and_then_as_it_has_learnt():
    before = dealt(BANDIT)
    assert all(is_about(n, 1 / 3, 20_000) for n in before.group_by("arm").len()["len"])
    shares = {"plain": 0.1, "question": 0.2, "emoji": 0.7}
    after = dealt(BANDIT, conditions=learnt(subject=shares))
    for arm, count in after.group_by("arm").len().iter_rows():
        assert is_about(count, shares[arm], 20_000), (arm, count)
    assert dict(after.select("arm", "propensity").unique().iter_rows()) == shares


def test_what_was_learnt_of_other_arms_is_nothing():
    old = learnt(subject={"plain": 0.9, "poem": 0.1})
    assert dealt(BANDIT, conditions=old).equals(dealt(BANDIT))


def test_a_bandit_moves_few_more_customers_than_its_shares_move():
    before = learnt(subject={"plain": 0.4, "question": 0.4, "emoji": 0.2})
    after = learnt(subject={"plain": 0.3, "question": 0.4, "emoji": 0.3})
    first = arms_by_customer(dealt(BANDIT, conditions=before))
    second = arms_by_customer(dealt(BANDIT, conditions=after))
    moved = [(first[name], second[name]) for name in PEOPLE if first[name] != second[name]]
    assert set(moved) <= {("plain", "emoji"), ("plain", "question"), ("question", "emoji")}
    assert 0.1 * 20_000 - 200 < len(moved) < 0.15 * 20_000  # a tenth of the shares moved
