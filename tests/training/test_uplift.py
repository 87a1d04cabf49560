"""What a holdout says, in shops whose truth is known and in a real experiment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from scipy.stats import ttest_ind

from features.errors import DataError
from tests.shared_data import shared_data
from tests.training.drawn import RESAMPLING
from training.evaluable import NotEvaluable
from training.evaluate import Floats, Interval
from training.uplift import Bools, holdout_uplift, uplift_ranking

LEVEL = 0.95


class Shop(NamedTuple):
    """What customers spent before and in the experiment, who was mailed, and the true uplift."""

    before: Floats
    spent: Floats
    treated: Bools
    truth: float


def shop(customers: int, *, seed: int, effect: float = 1.15, held_out: float = 0.05) -> Shop:
    """Simulated: many buy nothing, some much; orders are `effect` times as many where mailed."""
    random = np.random.default_rng([seed, customers])
    orders = 0.3 * random.gamma(0.5, 2.0, customers)
    each = 50 * np.exp(random.normal(0, 0.5, customers))
    treated = np.arange(customers) >= round(held_out * customers)
    before = random.poisson(2 * orders) * each
    spent = random.poisson(orders * np.where(treated, effect, 1.0)) * each
    truth = 0.3 * (effect - 1) * 50 * np.exp(0.5**2 / 2)
    return Shop(before, spent, treated, float(truth))


def uplift(drawn: Shop, *, adjusted: bool = False) -> Interval | NotEvaluable:
    return holdout_uplift(
        drawn.spent,
        drawn.treated,
        np.arange(len(drawn.spent)),
        before=drawn.before if adjusted else None,
        level=LEVEL,
    )


def known(found: Interval | NotEvaluable) -> Interval:
    assert isinstance(found, Interval), found
    return found


def test_even_outcomes_get_the_interval_of_welch() -> None:
    # No skewness in either arm, so nothing is corrected.
    mailed, held_out = np.array([4.0, 6.0] * 50), np.array([-3.0, 3.0] * 20)
    found = known(
        holdout_uplift(
            np.concatenate([mailed, held_out]),
            np.arange(140) < 100,
            np.arange(140),
            before=None,
            level=LEVEL,
        )
    )
    welch = ttest_ind(mailed, held_out, equal_var=False).confidence_interval(LEVEL)
    assert found.as_list() == pytest.approx([welch.low, 5.0, welch.high])


@pytest.mark.parametrize("adjusted", [False, True])
def test_the_interval_holds_the_truth_as_often_as_it_says(adjusted: bool) -> None:
    found = [uplift(shop(4_000, seed=seed), adjusted=adjusted) for seed in range(600)]
    told = [(one, shop(4_000, seed=0).truth) for one in found if isinstance(one, Interval)]
    assert len(told) > 500
    hits = np.array([(one.low > truth, one.high < truth) for one, truth in told])
    assert 0.925 <= 1 - hits.any(axis=1).mean() <= 0.975
    # Not too high on one side only, as it is without a correction for skewness.
    assert hits.mean(axis=0).max() < 0.045


def test_what_was_before_makes_it_surer_and_moves_nothing_else() -> None:
    drawn = shop(20_000, seed=1)
    plain, adjusted = known(uplift(drawn)), known(uplift(drawn, adjusted=True))
    assert adjusted.high - adjusted.low < 0.95 * (plain.high - plain.low)
    assert adjusted.low < drawn.truth < adjusted.high
    nothing = drawn._replace(before=np.zeros(20_000))
    assert known(uplift(nothing, adjusted=True)) == plain


def test_a_past_that_says_it_all_leaves_only_the_effect() -> None:
    drawn = shop(2_000, seed=2)
    foretold = drawn._replace(
        spent=3 * drawn.before + 7.0 * drawn.treated + np.arange(2_000) % 2 * 0.1
    )
    found = known(uplift(foretold, adjusted=True))
    assert found.low < 7 < found.high
    assert found.high - found.low < 0.1


def test_a_tiny_holdout_is_refused_with_the_number_needed() -> None:
    refused = uplift(shop(500, seed=3))
    assert isinstance(refused, NotEvaluable)
    assert "for 25 customers in the smaller group: it takes " in refused.reason
    assert "customers in all instead of 500, or a larger holdout" in refused.reason
    # A half held out is another matter.
    assert isinstance(uplift(shop(500, seed=3, held_out=0.5)), Interval)


def test_the_number_needed_suffices() -> None:
    drawn = shop(1_000, seed=4)
    refused = uplift(drawn)
    assert isinstance(refused, NotEvaluable)
    needed = int(refused.reason.split("it takes ")[1].split()[0].replace(",", ""))
    times = -(-needed // 1_000)
    more = drawn._replace(spent=np.tile(drawn.spent, times), treated=np.tile(drawn.treated, times))
    assert isinstance(uplift(more), Interval)
    fewer = drawn._replace(
        spent=np.tile(drawn.spent, times - 1), treated=np.tile(drawn.treated, times - 1)
    )
    assert isinstance(uplift(fewer), NotEvaluable)


def test_a_holdout_that_did_nothing_is_refused() -> None:
    drawn = shop(2_000, seed=5)
    silent = drawn._replace(spent=drawn.spent * drawn.treated)
    refused = uplift(silent)
    assert isinstance(refused, NotEvaluable)
    assert "all customers held out have the same outcome" in refused.reason
    few = drawn._replace(treated=np.arange(2_000) >= 19)
    assert str(uplift(few)).startswith("not evaluable: the smaller group has 19 customers")


def test_rows_of_a_customer_are_added_up() -> None:
    drawn = shop(6_000, seed=6)
    customers = np.arange(6_000)
    weeks = np.random.default_rng(1).permutation(np.tile(customers, 4))
    found = holdout_uplift(
        drawn.spent[weeks] / 4,
        drawn.treated[weeks],
        weeks,
        before=drawn.before[weeks] / 4,
        level=LEVEL,
    )
    once = known(uplift(drawn, adjusted=True))
    assert known(found).as_list() == pytest.approx(once.as_list())


def test_nobody_is_in_both_arms() -> None:
    with pytest.raises(ValueError, match="1 customers are both treated and held out"):
        holdout_uplift(
            np.ones(3), np.array([True, False, True]), np.array([7, 7, 8]), before=None, level=LEVEL
        )


def hillstrom() -> pl.DataFrame:
    """Women's mail against none, of the real experiment (half of its customers)."""
    file = shared_data("hillstrom", "hillstrom_half.parquet")
    return pl.read_parquet(file).filter(pl.col("segment") != "Mens E-Mail")


def test_the_real_experiment_comes_out_as_is_known() -> None:
    rows = hillstrom()
    found = known(
        holdout_uplift(
            rows["visit"].cast(pl.Float64).to_numpy(),
            (rows["segment"] == "Womens E-Mail").to_numpy(),
            rows["row"].to_numpy(),
            before=rows["history"].to_numpy(),
            level=LEVEL,
        )
    )
    # 15.1 % of all the mailed visited, 10.6 % of the others.
    assert found.low < 0.0452 < found.high
    assert found.low > 0.03


def test_who_bought_womens_things_is_worth_mailing_and_chance_is_not() -> None:
    rows = hillstrom()
    visit, customers = rows["visit"].cast(pl.Float64).to_numpy(), rows["row"].to_numpy()
    treated = (rows["segment"] == "Womens E-Mail").to_numpy()
    few_draws = RESAMPLING.model_copy(update={"replicates": 100})
    heuristic, lots = (
        uplift_ranking(visit, scores, treated, customers, settings=few_draws)
        for scores in (
            rows["womens"].cast(pl.Float64).to_numpy(),
            np.random.default_rng(1).random(rows.height),
        )
    )
    assert isinstance(heuristic, dict) and isinstance(lots, dict)
    # .0634 of all customers; here is half of them.
    assert heuristic["qini"].estimate == pytest.approx(0.063, abs=0.015)
    assert heuristic["qini"].low < 0.0634 < heuristic["qini"].high
    assert heuristic["qini"].low > 0.02 and heuristic["auuc"].low > 0
    assert lots["qini"].low < 0 < lots["qini"].high
    assert lots["auuc"].low < 0 < lots["auuc"].high


def test_a_ranking_without_a_holdout_is_refused() -> None:
    ones = np.ones(100)
    everybody = uplift_ranking(ones, ones, ones > 0, np.arange(100), settings=RESAMPLING)
    assert isinstance(everybody, NotEvaluable)
    assert everybody.reason.startswith("100 customers were mailed and 0 held out")
    with pytest.raises(ValueError, match="is 0 or 1"):
        uplift_ranking(2 * ones, ones, ones > 0, np.arange(100), settings=RESAMPLING)


def test_rows_of_one_customer_are_drawn_together() -> None:
    random = np.random.default_rng(9)
    treated, scores = np.arange(300) < 150, random.normal(size=300)
    answered = (random.random(300) < 0.3 + 0.2 * treated * (scores > 0)).astype(np.float64)
    few_draws = RESAMPLING.model_copy(update={"replicates": 60})
    once = uplift_ranking(answered, scores, treated, np.arange(300), settings=few_draws)
    tenfold = uplift_ranking(
        *(array.repeat(10) for array in (answered, scores, treated, np.arange(300))),
        settings=few_draws,
    )
    assert isinstance(once, dict) and isinstance(tenfold, dict)
    assert tenfold["qini"].high - tenfold["qini"].low == pytest.approx(
        once["qini"].high - once["qini"].low, rel=0.1
    )


@pytest.mark.parametrize("nothing", [np.nan, np.inf])
def test_what_is_no_number_is_named(nothing: float) -> None:
    treated, customers = np.arange(100) < 50, np.arange(100)
    known = np.arange(100.0)
    unknown = known.copy()
    unknown[3] = nothing
    with pytest.raises(DataError, match=r"an outcome is a number, .* 1 of 100 rows \(rows 3\)"):
        holdout_uplift(unknown, treated, customers, before=known, level=LEVEL)
    with pytest.raises(DataError, match=r"`before` is a number, .* \(rows 3\); write 0 where"):
        holdout_uplift(known, treated, customers, before=unknown, level=LEVEL)
