"""A model in memory says what LightGBM's own package says, and refuses other inputs."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import lightgbm
import numpy as np
import polars as pl
import pytest

from features.errors import DamagedError, NotReadyError
from tests.training import grown
from training.model.booster import Booster
from training.model.churn import score_churn

MODEL = grown.model()
FRAME, _ = grown.rows(300, seed=9)


def test_scores_are_those_of_the_lightgbm_package() -> None:
    theirs = lightgbm.Booster(model_str=MODEL.booster.text)
    matrix = FRAME.to_numpy()
    assert np.isnan(matrix).any()
    assert (MODEL.booster.raw(matrix) == theirs.predict(matrix, raw_score=True)).all()
    assert MODEL.probability(FRAME).to_numpy() == pytest.approx(theirs.predict(matrix), rel=1e-12)


def test_an_offset_is_added_to_the_log_odds() -> None:
    offset = pl.Series([2.0] * FRAME.height)
    moved = MODEL.probability(FRAME, offset).to_numpy()
    plain = MODEL.probability(FRAME).to_numpy()
    assert np.log(moved / (1 - moved)) - np.log(plain / (1 - plain)) == pytest.approx(2.0)


def test_no_rows_give_no_scores() -> None:
    assert MODEL.probability(FRAME.clear()).to_list() == []


def test_many_threads_may_score_at_once() -> None:
    expected = MODEL.probability(FRAME).to_list()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: MODEL.probability(FRAME).to_list(), range(50)))
    assert all(answer == expected for answer in answers)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (FRAME.drop("orders"), "missing: orders; extra: none"),
        (FRAME.with_columns(clicks=1.0), "missing: none; extra: clicks"),
        (FRAME.select("orders", "days_since_order"), "found: orders, days_since_order"),
        (FRAME.with_columns(orders=pl.lit(1)), r"not Float64: orders \(Int32\)"),
    ],
)
def test_other_inputs_are_refused_with_both_lists(other: pl.DataFrame, said: str) -> None:
    with pytest.raises(NotReadyError, match=said) as refusal:
        MODEL.probability(other)
    assert "in this order: days_since_order, orders" in str(refusal.value)


def test_churn_takes_its_inputs_by_name_out_of_a_wider_frame() -> None:
    buyers = FRAME.with_columns(pl.col("orders").fill_null(2.0).fill_nan(2.0).abs() + 1)
    wider = buyers.select(
        "orders",
        "days_since_order",
        segment=pl.lit("loyal"),
        customer_id=pl.lit("ann"),
        as_of=pl.lit("2024-05-01").str.to_datetime(time_zone="UTC"),
    )
    scores = score_churn(MODEL, wider)
    assert scores.columns == ["customer_id", "as_of", "churn"]
    assert scores["churn"].to_list() == MODEL.probability(buyers).to_list()
    with pytest.raises(NotReadyError, match="missing orders; type `onje train all`"):
        score_churn(MODEL, wider.drop("orders"))


def test_a_text_that_is_no_model_is_an_error() -> None:
    with pytest.raises(DamagedError):
        Booster.from_text("nothing of a model")


@pytest.mark.parametrize(
    ("module", "kept_out"),
    [
        ("training.model.verify", "numpy polars lightgbm"),
        ("training.model.folder", "lightgbm sklearn pandas scipy mlflow matplotlib"),
        ("training.model.score", "lightgbm sklearn pandas scipy mlflow matplotlib"),
        ("training.registry", "polars lightgbm sklearn pandas scipy mlflow matplotlib"),
    ],
)
def test_whoever_serves_pays_for_nothing_that_it_does_not_need(module: str, kept_out: str) -> None:
    question = f"import sys, {module}; print([m for m in {kept_out.split()} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True)
    assert answer.stdout.strip() == "[]", answer.stderr
