"""BG/NBD against a population drawn from it, and against the library lifetimes."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest

from features.errors import NotReadyError
from training.bgnbd import fit_bgnbd
from training.evaluate import Floats
from training.model.bgnbd import BgNbd, Rhythms

TRUTH = BgNbd(r=0.8, alpha=20.0, a=0.9, b=2.5)
HORIZON = 45.0


@cache
def lives(count: int, seed: int) -> tuple[Rhythms, Floats]:
    """Customers whose orders were drawn from TRUTH, and whether none came in the HORIZON."""
    random = np.random.default_rng(seed)
    rate = random.gamma(TRUTH.r, 1 / TRUTH.alpha, size=count)
    leaves = random.beta(TRUTH.a, TRUTH.b, size=count)
    age = random.uniform(30, 400, size=count)
    now, repeats, last = np.zeros(count), np.zeros(count), np.zeros(count)
    here, silent = np.ones(count, dtype=bool), np.ones(count, dtype=bool)
    while here.any():
        now = now + random.exponential(size=count) / rate
        before, soon = here & (now < age), here & (now >= age) & (now < age + HORIZON)
        silent &= ~soon
        repeats, last = repeats + before, np.where(before, now, last)
        here = before & (random.random(count) >= leaves)
    return Rhythms(repeats, last, age), silent.astype(np.float64)


def test_the_parameters_of_a_population_are_found() -> None:
    rhythms, _ = lives(20_000, seed=1)
    found = fit_bgnbd(rhythms)
    assert (found.r, found.alpha) == pytest.approx((TRUTH.r, TRUTH.alpha), rel=0.1)
    mean, true_mean = found.a / (found.a + found.b), TRUTH.a / (TRUTH.a + TRUTH.b)
    assert mean == pytest.approx(true_mean, abs=0.02)


def test_silence_comes_as_often_as_it_is_promised() -> None:
    rhythms, silent = lives(20_000, seed=2)
    promised = TRUTH.silent(rhythms, HORIZON)
    for some in np.array_split(np.argsort(promised), 5):
        assert promised[some].mean() == pytest.approx(silent[some].mean(), abs=0.02)
    # P(alive) cannot stand in for it: of those who ordered once it says nothing.
    once = rhythms.repeats == 0
    assert (TRUTH.alive(rhythms)[once] == 1.0).all()
    assert np.ptp(promised[once]) > 0.3


def test_lifetimes_finds_the_same() -> None:
    lifetimes = pytest.importorskip("lifetimes", reason="a peer, not needed to run")
    rhythms, _ = lives(3_000, seed=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lifetimes.BetaGeoFitter().fit(rhythms.repeats, rhythms.last, rhythms.age)
        alive = theirs.conditional_probability_alive(rhythms.repeats, rhythms.last, rhythms.age)
    r, alpha, a, b = theirs.params_
    assert fit_bgnbd(rhythms).alive(rhythms) == pytest.approx(alive, abs=1e-3)
    assert BgNbd(r, alpha, a, b).alive(rhythms) == pytest.approx(alive, abs=1e-9)


def test_days_may_be_of_any_size() -> None:
    rhythms, _ = lives(3_000, seed=3)
    in_seconds = Rhythms(rhythms.repeats, rhythms.last * 86_400, rhythms.age * 86_400)
    days, seconds = fit_bgnbd(rhythms), fit_bgnbd(in_seconds)
    assert seconds.alpha == pytest.approx(days.alpha * 86_400, rel=1e-3)
    assert seconds.r == pytest.approx(days.r, rel=1e-3)


def test_nothing_overflows_at_the_ends() -> None:
    ends = Rhythms(
        repeats=np.array([0.0, 0.0, 5_000.0, 5_000.0, np.nan]),
        last=np.array([0.0, 0.0, 3_000.0, 1.0, np.nan]),
        age=np.array([0.0, 1e5, 3_000.0, 1e5, np.nan]),
    )
    silent = TRUTH.silent(ends, 60)
    assert np.isnan(silent[-1])
    assert ((silent[:-1] >= 0) & (silent[:-1] <= 1)).all()
    # Ordered all the time until now; ordered all the time and then for decades not once.
    assert silent[2] < 0.01 and silent[3] > 0.999


def test_without_a_second_order_there_is_no_rhythm() -> None:
    once = Rhythms(np.zeros(30), np.zeros(30), np.arange(30.0))
    with pytest.raises(NotReadyError, match="none of 30 customers has ordered twice"):
        fit_bgnbd(once)
