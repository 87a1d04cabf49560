"""A correction is taken where probabilities are distorted, and not where they are right."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tests.training.drawn import RESAMPLING
from training.calibrating import NONE, choose_calibration
from training.evaluate import Floats, log_losses
from training.model.calibrators import CALIBRATION, calibrated
from training.model.model import sigmoid


def drawn(count: int, *, seed: int) -> tuple[Floats, Floats, pl.Series]:
    """True log-odds, what came of them, and whose two rows each are."""
    random = np.random.default_rng(seed)
    truth = random.normal(-1.0, 1.5, size=count)
    labels = (random.random(count) < sigmoid(truth)).astype(np.float64)
    return truth, labels, pl.Series([f"customer-{n // 2}" for n in range(count)])


@pytest.mark.parametrize("seed", range(4))
def test_what_is_right_is_left_alone(seed: int) -> None:
    truth, labels, customers = drawn(4_000, seed=seed)
    choice = choose_calibration(truth, labels, customers, settings=RESAMPLING)
    assert choice.chosen == NONE and choice.tables == {}
    assert {"platt", "beta"} <= set(choice.gains)
    assert "not surely better than none" in choice.reason
    assert calibrated(choice.tables, truth) is truth


def test_what_is_distorted_is_put_right() -> None:
    truth, labels, customers = drawn(6_000, seed=1)
    boasting = 2.5 * truth + 1.0
    choice = choose_calibration(boasting, labels, customers, settings=RESAMPLING)
    assert choice.chosen != NONE and choice.gains[choice.chosen].low > 0
    fresh, answers, _ = drawn(6_000, seed=2)
    told = sigmoid(calibrated(choice.tables, 2.5 * fresh + 1.0))
    best = log_losses(answers, sigmoid(fresh)).mean()
    assert log_losses(answers, told).mean() == pytest.approx(best, abs=0.005)
    # A correction never changes who is likelier.
    curve = choice.tables[CALIBRATION]
    assert curve["given"].is_sorted() and curve["meant"].is_sorted()
    assert choice.as_facts()["chosen"] == choice.chosen


def test_isotonic_steps_need_many_rows() -> None:
    truth, labels, customers = drawn(20_000, seed=3)
    many = choose_calibration(truth, labels, customers, settings=RESAMPLING)
    few = choose_calibration(truth[:-1], labels[:-1], customers[:-1], settings=RESAMPLING)
    assert "isotonic" in many.gains and "isotonic" not in few.gains


def test_too_small_a_slice_decides_nothing() -> None:
    truth, labels, customers = drawn(400, seed=4)
    choice = choose_calibration(truth, labels, customers, settings=RESAMPLING)
    assert choice.chosen == NONE and choice.gains == {}
    assert "400 rows" in choice.reason
