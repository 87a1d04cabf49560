"""What moves a model is found, drawn and told on its card."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.models import MODELS
from tests.training.test_registry import trained
from training.card import PURPOSES, card, index
from training.evidence import CARD, INPUTS, write_evidence
from training.explain import contributions
from training.plots_shap import contributions_plot

TRAINED = trained()


def test_contributions_sum_to_the_raw_score() -> None:
    found = contributions(TRAINED)
    raw = TRAINED.model.booster.raw(found.values)
    rest = raw - found.added.sum(axis=1)
    assert np.ptp(rest) < 1e-9  # the trees' mean, the same in every row


def test_what_was_planted_to_matter_comes_first() -> None:
    table = contributions(TRAINED).table({"orders": "how many"})
    assert table["input"].to_list() == ["days_since_order", "orders"]
    assert table["share"][0] > 0.8
    assert table["meaning"].to_list() == ["", "how many"]


def test_a_high_value_of_what_raises_the_answer_lies_to_the_right() -> None:
    found = contributions(TRAINED)
    assert np.corrcoef(found.values[:, 0], found.added[:, 0])[0, 1] > 0.8


def test_golden_rows_stand_in_where_cases_do_not_hold_the_inputs() -> None:
    bare = dataclasses.replace(TRAINED, examples=TRAINED.examples.drop("orders"))
    assert contributions(bare).rows_are == "20 golden rows"
    assert contributions(TRAINED).rows_are == "600 test cases"


def test_the_picture_is_one_even_of_a_single_row_of_which_nothing_is_known() -> None:
    rows = TRAINED.golden.head(1).with_columns(pl.lit(None, pl.Float64).alias("orders"))
    bare = dataclasses.replace(TRAINED, examples=rows.drop("orders"), golden=rows)
    assert contributions_plot(contributions(bare)).startswith(b"\x89PNG")


def test_the_card_of_synthetic_data_says_so_first() -> None:
    found = contributions(TRAINED)
    about = dict(TRAINED.model.about) | {"synthetic": True}
    text = card(
        "churn", "3", about, gate="passed", contributions=found.table({}),
        rows_are=found.rows_are, judged_by=None,
    )  # fmt: skip
    assert text.split("\n\n")[1].startswith("**Synthetic.**")
    assert "| gate | passed |" in text and "judged by" not in text
    assert "(600 test cases)" in text
    page = index({"churn": about})
    assert "[churn](churn.md)" in page and "synthetic" in page


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_say_what_it_is_for(name: str) -> None:
    purpose = PURPOSES[name]
    assert purpose.question.endswith("?") and purpose.label and purpose.limits


def test_what_is_written_names_nobody(tmp_path: Path) -> None:
    write_evidence(TRAINED, tmp_path / "evidence")
    said = json.loads((tmp_path / "evidence" / INPUTS).read_text())
    assert [one["input"] for one in said["inputs"]] == ["days_since_order", "orders"]
    text = (tmp_path / "evidence" / CARD).read_text()
    assert "not judged yet" in text and "customer_id" not in text
