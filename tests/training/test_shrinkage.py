"""Shrinkage of hours, where the right answer is known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from training.evaluate import Floats
from training.model.habits import habits_in
from training.model.shrinkage import (
    EVERYONE,
    HOURS,
    SLOTS,
    Kinds,
    Shrinkage,
    likely_kinds,
    shrunk,
    smoothed,
    with_other_days,
)
from training.send_hour_kinds import fit_kinds
from training.send_hour_shrinkage import fit_shrinkage

HOUR = np.arange(HOURS)
# Two peaks, as shops have: noon and evening.
SHOP = np.exp(-0.5 * ((HOUR - 12) / 2) ** 2) + 1.5 * np.exp(-0.5 * ((HOUR - 19) / 2) ** 2) + 0.02
SHOP = np.broadcast_to(SHOP / SHOP.sum(), (2, HOURS))


def one_act(hour: int) -> Floats:
    return (hour == HOUR).astype(np.float64)


def population(
    customers: int, *, weight: float, acts: int, same_on_weekends: bool, seed: int
) -> tuple[Floats, Floats]:
    """Acts before and after, of customers whose days are drawn from Dirichlet(weight x SHOP)."""
    random = np.random.default_rng(seed)
    days = random.dirichlet(weight * SHOP[0], size=(customers, 2))
    if same_on_weekends:
        days[:, 1] = days[:, 0]
    before, after = random.multinomial(acts, days), random.multinomial(acts, days)
    return before.astype(np.float64), after.astype(np.float64)


def segment(name: str, customers: int) -> pl.Series:
    return pl.Series([name] * customers, dtype=pl.String)


def weights(*, segment_weight: float = 1.0) -> Shrinkage:
    return Shrinkage(
        smoothing_hours=0.5, other_days=0.2, customer_weight=4.0, segment_weight=segment_weight,
        telling=1.0,
    )  # fmt: skip


def fitted(before: Floats, after: Floats) -> Shrinkage:
    """The weights alone, of people who are all of one kind."""
    return fit_shrinkage(before, segment("all", len(before)), after, kinds=1, seed=1)[0]


def test_smoothing_keeps_the_sum_and_spreads_evenly_to_both_sides() -> None:
    spread = smoothed(one_act(12), 1.5)
    assert spread.sum() == pytest.approx(1)
    assert spread[12 - 3] == pytest.approx(spread[12 + 3])
    assert spread[12 + 1] / spread[12] == pytest.approx(np.exp(-0.5 / 1.5**2))


def test_midnight_lies_beside_eleven_at_night() -> None:
    assert np.roll(smoothed(one_act(12), 1.5), 12) == pytest.approx(smoothed(one_act(0), 1.5))


def test_without_width_smoothing_changes_nothing() -> None:
    assert smoothed(one_act(7), 0.0).tolist() == one_act(7).tolist()


def test_three_own_acts_beside_a_prior_of_one() -> None:
    shares = shrunk(3 * one_act(8), np.full(HOURS, 1 / HOURS), 1.0)
    assert shares[8] == pytest.approx((3 + 1 / 24) / 4)
    assert shares[9] == pytest.approx((1 / 24) / 4)
    assert shares.sum() == pytest.approx(1)


def test_who_did_nothing_gets_the_prior() -> None:
    assert shrunk(np.zeros(HOURS), SHOP[0], 4.0) == pytest.approx(SHOP[0])


def test_the_other_kind_of_day_counts_for_less() -> None:
    acts = np.stack([one_act(8), 2 * one_act(11)])
    weekday, weekend = with_other_days(acts, 0.25)
    assert (weekday[8], weekday[11]) == (1.0, 0.5)
    assert (weekend[8], weekend[11]) == (0.25, 2.0)


@pytest.mark.parametrize("weight", [2.0, 6.0, 24.0])
def test_the_weight_that_a_population_was_drawn_with_is_found(weight: float) -> None:
    before, after = population(2_000, weight=weight, acts=12, same_on_weekends=False, seed=1)
    found = fitted(before, after)
    assert weight / 1.6 < found.customer_weight < weight * 1.6
    assert found.smoothing_hours == 0  # hours were drawn one by one: neighbours say nothing
    assert found.other_days == 0


def test_weekends_that_are_like_weekdays_count_like_them() -> None:
    before, after = population(2_000, weight=6.0, acts=6, same_on_weekends=True, seed=1)
    assert fitted(before, after).other_days == 1


def test_acts_that_scatter_around_an_hour_are_smoothed() -> None:
    random = np.random.default_rng(1)
    centre = random.integers(0, HOURS, size=(1_000, 1))
    before, after = (np.zeros((1_000, 2, HOURS)) for _ in range(2))
    for acts in (before, after):
        hours = np.round(centre + random.normal(scale=1.5, size=(1_000, 5))).astype(int) % HOURS
        np.add.at(acts, (np.arange(1_000)[:, None], 0, hours), 1.0)
    found = fitted(before, after)
    assert 1 <= found.smoothing_hours <= 2


def test_a_segment_of_many_speaks_for_itself_and_a_small_one_does_not() -> None:
    early, late = 5 * one_act(7), 5 * one_act(22)
    acts = np.stack([np.stack([early, early])] * 100 + [np.stack([late, late])] * 3)
    names = pl.concat([segment("many", 100), segment("few", 3)])
    kinds = fit_kinds(acts, names, weights(segment_weight=20.0), most=2, seed=1)
    many, few = (kinds.curves[kinds.segments.index(name)] for name in ("many", "few"))
    assert kinds.everyone.sum(axis=-1) == pytest.approx(1)
    assert many[0].argmax() == few[0].argmax() == 7
    assert few[0][22] > kinds.everyone[0][22] > many[0][22] > 0
    assert dict(zip(kinds.segments, kinds.heard.tolist(), strict=True)) == {
        EVERYONE: 103, "many": 100, "few": 3,
    }  # fmt: skip


def test_the_kinds_of_people_there_are_are_found() -> None:
    random = np.random.default_rng(1)
    is_late = np.arange(400) % 4 == 0
    acts = random.multinomial(
        6, [np.tile(0.9 * one_act(21 if late else 7) + 0.1 / 24, (2, 1)) for late in is_late]
    ).astype(np.float64)
    kinds = fit_kinds(acts, segment("all", 400), weights(), most=2, seed=1)
    assert sorted(kinds.shares[:, 0].argmax(axis=-1).tolist()) == [7, 21]
    assert sorted(kinds.common[0].tolist()) == pytest.approx([0.25, 0.75], abs=0.03)
    one_each = np.stack([np.tile(one_act(7), (2, 1)), np.tile(one_act(21), (2, 1))])
    likely = likely_kinds(one_each, kinds, np.array([0, 0]), 1.0)
    assert likely.sum(axis=1) == pytest.approx([1, 1])
    assert likely.argmax(axis=1).tolist() == np.argsort(kinds.shares[:, 0, 21]).tolist()


def test_of_few_customers_there_is_one_kind() -> None:
    kinds = fit_kinds(np.ones((20, 2, HOURS)), segment("all", 20), weights(), most=16, seed=1)
    assert kinds.shares.shape == (1, 2, HOURS)


def test_a_customer_with_a_thousand_acts_has_one_vote() -> None:
    acts = np.stack([np.stack([n * one_act(h)] * 2) for n, h in ((1_000, 6), (10, 18), (10, 18))])
    acts = np.concatenate([acts] * 40)
    kinds = fit_kinds(acts, segment("all", 120), weights(), most=2, seed=1)
    assert kinds.everyone[0].argmax() == 18


def test_kinds_come_back_from_their_tables() -> None:
    acts = np.random.default_rng(1).poisson(1.0, (120, 2, HOURS)).astype(np.float64)
    names = pl.Series(["a", "b", None] * 40)
    kinds = fit_kinds(acts, names, weights(), most=3, seed=1)
    tables = kinds.to_tables()
    again = Kinds.from_tables(tables["kinds"], tables["segments"])
    assert again.segments == kinds.segments == (EVERYONE, "a", "b")
    assert tables["kinds"].height == 3 * SLOTS
    for name in ("shares", "common", "heard"):
        assert (getattr(again, name) == getattr(kinds, name)).all()


def test_a_segment_never_seen_gets_everyone() -> None:
    kinds = fit_kinds(np.ones((2, 2, HOURS)), pl.Series(["a", "b"]), weights(), most=1, seed=1)
    assert kinds.places(pl.Series(["b", "prospect", None])).tolist() == [2, 0, 0]


def test_one_alone_is_as_in_the_crowd_bit_for_bit() -> None:
    random = np.random.default_rng(1)
    acts = random.poisson(0.3, (300, 2, HOURS)) * random.random((300, 2, HOURS))
    kinds = fit_kinds(acts, segment("all", 300), weights(), most=5, seed=1)
    crowd = habits_in(acts, segment("all", 300), kinds, weights())
    for place in (0, 7, 299):
        alone = habits_in(acts[place : place + 1], segment("all", 1), kinds, weights())
        assert (alone.shares == crowd.shares[place : place + 1]).all()
        assert (alone.likely == crowd.likely[place : place + 1]).all()
