"""Shrinkage of hours, where the right answer is known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from training.evaluate import Floats
from training.model.shrinkage import (
    EVERYONE,
    HOURS,
    SLOTS,
    Curves,
    shrunk,
    smoothed,
    with_other_days,
)
from training.send_hour_shrinkage import fit_curves, fit_shrinkage

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
    found = fit_shrinkage(before, segment("all", 2_000), after)
    assert weight / 1.6 < found.customer_weight < weight * 1.6
    assert found.smoothing_hours == 0  # hours were drawn one by one: neighbours say nothing
    assert found.other_days == 0


def test_weekends_that_are_like_weekdays_count_like_them() -> None:
    before, after = population(2_000, weight=6.0, acts=6, same_on_weekends=True, seed=1)
    assert fit_shrinkage(before, segment("all", 2_000), after).other_days == 1


def test_acts_that_scatter_around_an_hour_are_smoothed() -> None:
    random = np.random.default_rng(1)
    centre = random.integers(0, HOURS, size=(1_000, 1))
    before, after = (np.zeros((1_000, 2, HOURS)) for _ in range(2))
    for acts in (before, after):
        hours = np.round(centre + random.normal(scale=1.5, size=(1_000, 5))).astype(int) % HOURS
        np.add.at(acts, (np.arange(1_000)[:, None], 0, hours), 1.0)
    found = fit_shrinkage(before, segment("all", 1_000), after)
    assert 1 <= found.smoothing_hours <= 2


def test_a_segment_of_many_has_a_curve_of_its_own_and_a_small_one_does_not() -> None:
    early, late = 5 * one_act(7), 5 * one_act(22)
    acts = np.stack([np.stack([early, early])] * 100 + [np.stack([late, late])] * 3)
    names = pl.concat([segment("many", 100), segment("few", 3)])
    curves = fit_curves(acts, names, 20.0)
    many, few = (curves.shares[curves.segments.index(name)] for name in ("many", "few"))
    assert curves.everyone.sum(axis=-1) == pytest.approx(1)
    assert many[0].argmax() == few[0].argmax() == 7
    assert few[0][22] > curves.everyone[0][22] > many[0][22] > 0
    own = dict(zip(curves.segments, curves.is_own.tolist(), strict=True))
    assert own == {EVERYONE: False, "many": True, "few": False}


def test_a_customer_with_a_thousand_acts_has_one_vote() -> None:
    acts = np.stack([np.stack([n * one_act(h)] * 2) for n, h in ((1_000, 6), (10, 18), (10, 18))])
    assert fit_curves(acts, segment("all", 3), 1.0).everyone[0].argmax() == 18


def test_curves_come_back_from_their_table() -> None:
    curves = fit_curves(np.ones((4, 2, HOURS)), pl.Series(["a", "b", None, "a"]), 1.0)
    table = curves.to_table()
    again = Curves.from_table(table)
    assert table.height == 3 * SLOTS
    assert again.segments == curves.segments == (EVERYONE, "a", "b")
    assert (again.shares == curves.shares).all()
    assert (again.is_own == curves.is_own).all()


def test_a_segment_never_seen_gets_everyone() -> None:
    curves = fit_curves(np.ones((2, 2, HOURS)), pl.Series(["a", "b"]), 1.0)
    assert curves.places(pl.Series(["b", "prospect", None])).tolist() == [2, 0, 0]
