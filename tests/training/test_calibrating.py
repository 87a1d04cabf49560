"""A correction is taken where probabilities are distorted, and not where they are right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tests.training.drawn import RESAMPLING
from training.calibrating import NONE, Choice, Said, choose_calibration, correction
from training.evaluate import log_losses
from training.model.calibrators import CALIBRATION, calibrated
from training.model.model import sigmoid


def drawn(count: int, *, seed: int) -> Said:
    """True log-odds, what came of them, and whose two rows each are."""
    random = np.random.default_rng(seed)
    truth = random.normal(-1.0, 1.5, size=count)
    labels = (random.random(count) < sigmoid(truth)).astype(np.float64)
    return Said(truth, labels, pl.Series([f"customer-{n // 2}" for n in range(count)]))


def boasting(said: Said) -> Said:
    """The same customers by a model that is too sure of itself."""
    return replace(said, log_odds=2.5 * said.log_odds + 1.0)


def chosen(learnt: Said, judged: Said) -> Choice:
    return choose_calibration(learnt, judged, settings=RESAMPLING)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_right_is_left_alone(seed: int) -> None:
    choice = chosen(drawn(4_000, seed=seed), drawn(4_000, seed=seed + 100))
    assert choice.chosen == NONE and {"platt", "beta"} <= set(choice.gains)
    assert "not surely better than none" in choice.reason
    given = drawn(10, seed=1)
    assert calibrated(correction(NONE, given), given.log_odds) is given.log_odds


def test_what_is_distorted_is_put_right() -> None:
    learnt = boasting(drawn(6_000, seed=1))
    choice = chosen(learnt, boasting(drawn(6_000, seed=3)))
    assert choice.chosen != NONE and choice.gains[choice.chosen].low > 0
    tables, fresh = correction(choice.chosen, learnt), drawn(6_000, seed=2)
    told = sigmoid(calibrated(tables, boasting(fresh).log_odds))
    best = log_losses(fresh.labels, sigmoid(fresh.log_odds)).mean()
    assert log_losses(fresh.labels, told).mean() == pytest.approx(best, abs=0.005)
    # A correction never changes who is likelier.
    assert tables[CALIBRATION]["given"].is_sorted() and tables[CALIBRATION]["meant"].is_sorted()
    assert choice.as_facts()["chosen"] == choice.chosen


@pytest.mark.parametrize("name", ["platt", "beta", "isotonic"])
def test_each_correction_finds_the_truth(name: str) -> None:
    learnt, fresh = drawn(20_000, seed=5), drawn(5_000, seed=6)
    told = sigmoid(calibrated(correction(name, boasting(learnt)), boasting(fresh).log_odds))
    best = log_losses(fresh.labels, sigmoid(fresh.log_odds)).mean()
    assert log_losses(fresh.labels, told).mean() == pytest.approx(best, abs=0.005)


def test_what_helped_where_it_was_learnt_and_not_later_is_not_taken() -> None:
    assert chosen(boasting(drawn(6_000, seed=1)), drawn(6_000, seed=3)).chosen == NONE


@pytest.mark.parametrize("name", ["platt", "beta"])
def test_beyond_what_was_seen_the_model_goes_on(name: str) -> None:
    learnt = drawn(30_000, seed=3)
    highest, lowest = learnt.log_odds.max(), learnt.log_odds.min()
    beyond = np.array([lowest - 3.0, lowest - 1.0, highest + 1.0, highest + 3.0])
    found = calibrated(correction(name, learnt), beyond)
    assert np.diff(found)[[0, 2]] == pytest.approx([2.0, 2.0], abs=0.02)


def test_isotonic_steps_need_many_rows() -> None:
    judged = drawn(1_000, seed=4)
    assert "isotonic" in chosen(drawn(20_000, seed=3), judged).gains
    assert "isotonic" not in chosen(drawn(19_999, seed=3), judged).gains


def test_too_small_a_slice_decides_nothing() -> None:
    choice = chosen(drawn(4_000, seed=4), drawn(400, seed=4))
    assert choice.chosen == NONE and choice.gains == {}
    assert "found 400 and" in choice.reason
