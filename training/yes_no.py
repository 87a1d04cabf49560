"""Handing over a model that answers yes or no, judged by rows that it did not learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import polars as pl

from features.errors import NotReadyError
from features.settings import FeatureSettings
from training.evaluate import Floats, log_losses
from training.model.model import Model
from training.plots import Drawn, calibration_plot, gain_plot, lift_plot
from training.report import report_on
from training.settings import ResamplingSettings, TreeSettings
from training.trained import About, Trained, described

GOLDEN_ROWS = 20
# What decides how many do the same, by the model's table of onje.toml.
KNOBS: Mapping[str, str] = {
    "churn": "horizon_days",
    "dormancy": "horizon_days",
    "dormancy_date": "dormant_days, weeks or test_weeks",
}


def handed_over(
    model: Model,
    train: pl.DataFrame,
    test: pl.DataFrame,
    chances: Mapping[str, Floats],
    *,
    baseline: str,
    outcome: str,
    facts: Mapping[str, Any],
    settings: TreeSettings,
    resampling: ResamplingSettings,
    feature_settings: FeatureSettings,
    meanings: Mapping[str, str],
    origin: About,
) -> Trained:
    """`model` with its evidence from the rows of `test` and what they were given, `chances`.

    `chances` holds P(label = 1) of each test row by contestant, "model" and `baseline` among them.
    `outcome` names label = 1 in the facts. Rows hold customer_id, as_of, `label` and the inputs.
    """
    truth = test.get_column("label").to_numpy()
    customer = test.get_column("customer_id").rank("dense").cast(pl.UInt32)
    report = report_on(
        chances,
        truth,
        customer.to_numpy(),
        baseline=baseline,
        segments=test.get_column("segment", default=None),
        facts=_counts(train, test, outcome=outcome) | dict(facts),
        settings=resampling,
    )
    shown = {name: chances[name] for name in ("model", baseline)}
    inputs = test.select(model.inputs)
    about = described(
        origin,
        report,
        settings=settings.model_dump(mode="json"),
        feature_settings=feature_settings.of_features(),
        meanings=meanings,
    )
    return Trained(
        model=replace(model, about={**model.about, **about}),
        report=report,
        examples=inputs.with_columns(
            customer=customer,
            label=truth,
            baseline_loss=log_losses(truth, chances[baseline]),
        ),
        golden=inputs.sample(min(GOLDEN_ROWS, test.height), seed=settings.seed),
        figures=Drawn(
            {
                "calibration": partial(calibration_plot, truth, shown),
                "gain": partial(gain_plot, truth, shown),
                "lift": partial(lift_plot, truth, shown),
            }
        ),
    )


def refuse_one_outcome(rows: pl.DataFrame, use: str, *, model: str, days: int, table: str) -> None:
    """NotReadyError where all rows have the same label: there is nothing to tell apart."""
    seen = rows.get_column("label").unique()
    if len(seen) < 2:
        what = "no row has a known outcome" if seen.is_empty() else "everybody did the same"
        raise NotReadyError(
            f"in the {rows.height} {use} rows of the {model} model {what} within "
            f"{days} days; {_cure(rows, table)}"
        )


def _cure(rows: pl.DataFrame, table: str) -> str:
    """What helps where all do the same; of who never ordered twice, no other horizon does."""
    if table == "churn" and not rows.filter((pl.col("orders") > 1) | (pl.col("label") < 1)).height:
        return (
            "none of these customers had ordered twice, and no other horizon cures that: see "
            "whether the file gives the same person the same customer_id each time, or bring "
            "orders of a longer time in with `onje ingest`"
        )
    return (
        f"choose another {KNOBS[table]} under [training.{table}] in onje.toml, or bring more "
        "events in with `onje ingest`"
    )


def _counts(train: pl.DataFrame, test: pl.DataFrame, *, outcome: str) -> dict[str, Any]:
    counts: dict[str, Any] = {}
    for use, rows in (("train", train), ("test", test)):
        counts[f"{use}_rows"] = rows.height
        counts[f"{use}_customers"] = rows.get_column("customer_id").n_unique()
        counts[f"{use}_share_{outcome}"] = rows.get_column("label").mean()
        dates = rows.get_column("as_of").unique().sort()
        counts[f"{use}_dates"] = [date.date().isoformat() for date in dates]
    return counts
