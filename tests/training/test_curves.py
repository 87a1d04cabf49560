"""Gain and lift of lists counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.drawn import RESAMPLING
from training.curves import gain_at, gain_table, lift_at
from training.evaluate import Floats, Metric, intervals
from training.plots import lift_plot

LABELS = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0])
SCORES = np.linspace(1.0, 0.1, 10)


def over(metric: Metric, weights: Floats) -> float:
    return float(metric.of(metric.parts @ weights[:, None])[0])


@pytest.mark.parametrize(("share", "gain"), [(0.1, 1 / 4), (0.2, 2 / 4), (0.4, 3 / 4), (0.8, 1)])
def test_gain_counts_positives_from_the_top(share: float, gain: float) -> None:
    assert over(gain_at(share, LABELS, SCORES), np.ones(10)) == pytest.approx(gain)
    assert over(lift_at(share, LABELS, SCORES), np.ones(10)) == pytest.approx(gain / share)


def test_rows_that_are_tied_are_as_good_as_drawn_by_lot() -> None:
    assert over(gain_at(0.3, LABELS, np.zeros(10)), np.ones(10)) == pytest.approx(0.3)


def test_a_row_drawn_twice_is_two_rows() -> None:
    times = np.array([2, 0, 1, 3, 0, 1, 1, 1, 1, 0])
    repeated = over(gain_at(0.4, LABELS.repeat(times), SCORES.repeat(times)), np.ones(10))
    assert over(gain_at(0.4, LABELS, SCORES), times.astype(np.float64)) == pytest.approx(repeated)


def test_a_share_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="share is 10; it lies above 0 and below 1"):
        gain_at(10, LABELS, SCORES)


def drawn(rows: int, *key: int) -> tuple[Floats, Floats]:
    random = np.random.default_rng([3, *key])
    scores = random.normal(size=rows)
    return (random.random(rows) < 1 / (1 + np.exp(2 - scores))).astype(np.float64), scores


def test_the_interval_of_a_lift_holds_the_truth() -> None:
    truth = over(lift_at(0.1, *drawn(400_000, 0)), np.ones(400_000))
    settings = RESAMPLING.model_copy(update={"replicates": 200})
    held = []
    for seed in range(400):
        metric = {"lift": lift_at(0.1, *drawn(600, 1, seed))}
        found = intervals(metric, np.arange(600), settings=settings)["lift"]
        held.append(found.low <= truth <= found.high)
    assert 0.92 <= np.mean(held) <= 0.98


def test_the_table_has_a_row_per_share_and_the_plot_is_an_image() -> None:
    labels, scores = drawn(2_000, 4)
    table = gain_table(labels, scores, np.arange(2_000), shares=(0.1, 0.5), settings=RESAMPLING)
    assert table["share"].to_list() == [0.1, 0.5]
    assert (table["gain_low"] < table["gain"]).all() and (table["gain"] < table["gain_high"]).all()
    assert table["lift"].to_list() == pytest.approx((table["gain"] / table["share"]).to_list())
    assert table["lift_low"][0] > 1
    assert lift_plot(labels, {"model": scores}).startswith(b"\x89PNG")
