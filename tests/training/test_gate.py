"""Who may become champion."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from tests.training import grown
from tests.training.drawn import RESAMPLING
from training.evaluate import log_losses
from training.gate import Verdict, judge
from training.model.model import Model

GOOD, MISLED = grown.model(), grown.model(misled=True)


def examples(count: int) -> pl.DataFrame:
    """Test rows of `count` customers; the baseline gives everybody the base rate."""
    inputs, labels = grown.rows(count, seed=3)
    return inputs.with_columns(
        customer=pl.int_range(count, dtype=pl.UInt32, eager=True),
        label=labels,
        baseline_loss=log_losses(labels, np.full(count, labels.mean())),
    )


def verdict_on(challenger: Model, champion: Model | None, *, customers: int = 800) -> Verdict:
    return judge(challenger, champion, examples(customers), settings=RESAMPLING)


def test_the_first_champion_has_to_beat_the_trivial_baseline() -> None:
    assert verdict_on(GOOD, None).promote
    refused = verdict_on(MISLED, None)
    assert not refused.promote
    assert refused.reasons[0].startswith("worse than the trivial baseline: gain in log-loss -")


def test_a_challenger_has_to_beat_the_champion_too() -> None:
    champion = dataclasses.replace(MISLED, version="4")
    accepted = verdict_on(GOOD, champion)
    assert accepted.promote
    assert accepted.reasons[1].startswith("better than champion 4: gain in log-loss ")
    # Against the baseline the better model would do; against itself nothing is gained.
    refused = verdict_on(GOOD, dataclasses.replace(GOOD, version="5"))
    assert not refused.promote
    assert refused.reasons[1] == (
        "not surely better than champion 5: gain in log-loss 0.0000 [0.0000, 0.0000]"
    )


def test_better_is_not_enough_where_it_may_be_chance() -> None:
    # Two models of the same kind: one is a hair better, and fifty customers cannot tell which.
    one = dataclasses.replace(GOOD, version="4")
    other = dataclasses.replace(grown.model(seed=2), version="5")
    verdicts = [verdict_on(one, other, customers=50), verdict_on(other, one, customers=50)]
    assert [verdict.promote for verdict in verdicts] == [False, False]
    assert all(verdict.reasons[1].startswith("not surely better") for verdict in verdicts)


def test_a_champion_with_inputs_that_are_gone_cannot_be_compared() -> None:
    champion = dataclasses.replace(GOOD, version="4", inputs=("days_since_order", "abolished"))
    refused = verdict_on(GOOD, champion)
    assert not refused.promote
    assert "cannot be compared with champion 4" in refused.reasons[0]
    assert "missing abolished" in refused.reasons[0]


def test_one_customer_convinces_nobody_however_many_rows_there_are_of_them() -> None:
    rows = examples(800)
    alone = rows.with_columns(customer=pl.lit(1, pl.UInt32))
    # One with nearly all rows, and so many with one each that there are enough of them by number.
    crowd = pl.int_range(pl.len(), dtype=pl.UInt32)
    loud = rows.with_columns(customer=pl.when(crowd < 100).then(crowd).otherwise(200))
    for few, worth in ((alone, 1), (loud, 1)):
        refused = judge(GOOD, None, few, settings=RESAMPLING)
        assert not refused.promote
        assert f"say as much as {worth} customers" in refused.reasons[0]
        assert "30 are needed" in refused.reasons[0] and "least_customers" in refused.reasons[0]
    patient = RESAMPLING.model_copy(update={"least_customers": 801})
    assert not judge(GOOD, None, rows, settings=patient).promote
    assert judge(GOOD, None, rows, settings=RESAMPLING).promote


def test_an_interval_without_width_is_not_sure() -> None:
    rows = examples(200)
    losses = log_losses(
        rows.get_column("label").to_numpy(), GOOD.probability(rows.select(grown.INPUTS)).to_numpy()
    )
    # Each row gains exactly as much as the next, as where all are one row copied.
    copied = pl.concat([rows.head(1).with_columns(baseline_loss=losses[0] + 0.25)] * 200)
    copied = copied.with_columns(customer=rows.get_column("customer"))
    refused = judge(GOOD, None, copied, settings=RESAMPLING)
    assert not refused.promote
    assert refused.reasons[0] == (
        "not surely better than the trivial baseline: gain in log-loss 0.2500 [0.2500, 0.2500]"
    )


@pytest.mark.parametrize("level", [0.8, 0.99])
def test_the_level_decides_how_sure_one_has_to_be(level: float) -> None:
    strict = RESAMPLING.model_copy(update={"level": level})
    by_level = judge(GOOD, None, examples(800), settings=strict)
    assert by_level.reasons != judge(GOOD, None, examples(800), settings=RESAMPLING).reasons


def test_a_challenger_that_differs_by_noise_alone_is_rarely_promoted() -> None:
    rows = examples(200)
    losses = log_losses(
        rows.get_column("label").to_numpy(), GOOD.probability(rows.select(grown.INPUTS)).to_numpy()
    )
    settings = RESAMPLING.model_copy(update={"replicates": 200})
    promoted = []
    for seed in range(400):
        # The hard case: mostly a small gain, now and then a great loss, and nothing on average.
        noise = 1 - np.random.default_rng([7, seed]).exponential(size=200)
        against = rows.with_columns(baseline_loss=losses + 0.2 * noise)
        promoted.append(judge(GOOD, None, against, settings=settings).promote)
    assert np.mean(promoted) <= 0.05
