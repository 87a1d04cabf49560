"""Calibration of probabilities whose truth is known, wherever one looks."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from tests.training.drawn import RESAMPLING
from training.calibration import (
    calibration_error,
    highest_of_each,
    observed_to_expected,
    observed_to_expected_among,
    observed_to_expected_by,
)
from training.evaluate import Floats, Interval, Metric, intervals
from training.model.model import sigmoid


def of(metric: Metric, customers: np.ndarray | None = None) -> Interval:
    rows = metric.parts.shape[1]
    whose = np.arange(rows) if customers is None else customers
    return intervals({"it": metric}, whose, settings=RESAMPLING)["it"]


def error(labels: Floats, probabilities: Floats) -> Interval:
    return calibration_error(labels, probabilities, np.arange(len(labels)), settings=RESAMPLING)


def test_calibration_error_of_a_case_done_by_hand() -> None:
    # 15 rows, so 15 bins of one row each: the mean distance between label and probability.
    labels = np.array([0.0, 1.0] * 7 + [1.0])
    probabilities = np.linspace(0.1, 0.8, 15)
    assert error(labels, probabilities).estimate == pytest.approx(
        np.abs(labels - probabilities).mean()
    )


def test_the_base_rate_for_everybody_is_perfectly_calibrated() -> None:
    labels = np.array([1.0] * 30 + [0.0] * 70)
    assert error(labels, np.full(100, 0.3)).as_list() == pytest.approx([0, 0, 0], abs=1e-3)


def drawn(
    customers: int, *, seed: int, lift: float = 0.0, spread: float = 1.0
) -> tuple[Floats, Floats, np.ndarray]:
    """Three rows a customer, alike; `lift` and `spread` spoil the log-odds of a true promise."""
    random = np.random.default_rng([seed, customers])
    seen, hidden = (random.normal(size=customers).repeat(3) for _ in range(2))
    # With normal log-odds hidden, the chance is nearly logistic: integrate it exactly instead.
    points, weights = np.polynomial.hermite_e.hermegauss(15)
    log_odds = 0.8 * seen - 0.8
    promised = sigmoid(log_odds[:, None] + 0.5 * points) @ weights / weights.sum()
    labels = (random.random(3 * customers) < sigmoid(log_odds + 0.5 * hidden)).astype(np.float64)
    told = sigmoid(spread * np.log(promised / (1 - promised)) + lift)
    return labels, told, np.arange(customers).repeat(3)


@pytest.mark.parametrize(
    ("spread", "lift"), [(1.0, 0.0), (1.15, 0.0), (1.6, 0.6)], ids=["true", "nearly", "far off"]
)
def test_the_interval_of_the_error_holds_the_truth(spread: float, lift: float) -> None:
    labels, told, whose = drawn(300_000, seed=1, spread=spread, lift=lift)
    # Perfect calibration is known; what is left of it in 900,000 rows is chance.
    truth = 0.0 if spread == 1 else error(labels, told).estimate
    settings = RESAMPLING.model_copy(update={"replicates": 200})
    found = [
        calibration_error(*drawn(300, seed=2 + seed, spread=spread, lift=lift), settings=settings)
        for seed in range(400)
    ]
    held = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.91 <= held <= 0.99
    assert np.mean([one.estimate for one in found]) > truth
    if spread > 1.5:
        assert np.mean([one.low > 0 for one in found]) > 0.8


def test_rows_of_one_customer_are_no_news_of_another() -> None:
    labels, told, _ = drawn(400, seed=3, spread=1.6)
    once = error(labels, told)
    ten = calibration_error(
        labels.repeat(10), told.repeat(10), np.arange(1200).repeat(10), settings=RESAMPLING
    )
    assert ten.as_list() == pytest.approx(once.as_list())


def test_what_was_promised_too_much_is_seen_in_the_large() -> None:
    labels, told, whose = drawn(2_000, seed=4)
    true, half = (of(observed_to_expected(labels, told * share), whose) for share in (1.0, 0.5))
    assert true.low < 1 < true.high
    assert half.low > 1.5 and half.low < 2 < half.high


def test_promises_of_segments_are_judged_by_segment() -> None:
    # Right on average, too high for some and too low for others.
    random = np.random.default_rng(5)
    segment = np.array(["young", "old"] * 2_000)
    labels = (random.random(4_000) < np.where(segment == "young", 0.2, 0.4)).astype(np.float64)
    told = np.full(4_000, 0.3)
    rare = pl.Series(np.where(np.arange(4_000) < 25, "rare", segment))
    by_segment = observed_to_expected_by(rare, labels, told)
    assert list(by_segment) == ["old", "young"]
    overall = of(observed_to_expected(labels, told))
    young, old = of(by_segment["young"]), of(by_segment["old"])
    assert overall.low < 1 < overall.high
    assert young.estimate == pytest.approx(0.2 / 0.3, abs=0.1) and young.high < 1
    assert old.estimate == pytest.approx(0.4 / 0.3, abs=0.1) and old.low > 1


def test_an_argmax_takes_the_highest_of_each_choice() -> None:
    choices, scores = np.array([2, 1, 1, 2, 3, 1]), np.array([0.1, 0.5, 0.9, 0.1, 0.0, 0.9])
    assert highest_of_each(choices, scores).tolist() == [True, False, True, False, True, False]


def test_the_chosen_of_calibrated_promises_are_not_calibrated() -> None:
    """A normal signal of a normal truth: the best promise is right, all promises are, an argmax of
    unshrunk signals is too high by the known mean of the highest of six.
    """
    random = np.random.default_rng(6)
    truth = random.normal(0, 0.05, size=(20_000, 6))
    noise = random.normal(0, 0.05, size=(20_000, 6))
    chances, signal = 0.4 + truth, 0.4 + truth + noise
    labels = (random.random((20_000, 6)) < chances).astype(np.float64)
    choices = np.arange(20_000).repeat(6)
    raw, shrunk = signal.ravel(), 0.4 + (signal.ravel() - 0.4) / 2
    chosen = highest_of_each(choices, raw)
    assert chosen.sum() == 20_000

    everybody = of(observed_to_expected(labels.ravel(), raw), choices)
    assert everybody.low < 1 < everybody.high
    (of_raw,), (of_shrunk,) = (
        observed_to_expected_among(chosen, labels.ravel(), told).values() for told in (raw, shrunk)
    )
    # The mean of the highest of six standard normals, by integration.
    x = np.linspace(-8, 8, 20_001)
    highest = np.trapezoid(x * 6 * norm.pdf(x) * norm.cdf(x) ** 5, x)
    promised, true = 0.4 + highest * 0.05 * 2**0.5, 0.4 + highest * 0.05 / 2**0.5
    found = of(of_raw, choices)
    assert found.high < 1
    assert found.estimate == pytest.approx(true / promised, abs=0.02)
    honest = of(of_shrunk, choices)
    assert honest.low < 1 < honest.high


def test_too_few_chosen_say_nothing() -> None:
    chosen = np.arange(1_000) < 30
    assert observed_to_expected_among(chosen, np.ones(1_000), np.full(1_000, 0.5)) == {}
