"""The churn model: P(no order within the horizon) of everybody who ever ordered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from features.build import features_as_of
from features.catalog import CATALOG, MODEL_INPUTS
from features.errors import NotReadyError
from features.settings import FeatureSettings
from training.baselines import BaseRate, FlagRule, Rule, SilenceRule
from training.evaluate import log_losses
from training.labels import churned
from training.model.model import UNRECORDED, Model, sigmoid
from training.plots import calibration_plot, gain_plot, lift_plot
from training.report import report_on
from training.settings import ChurnSettings, TrainingSettings
from training.snapshots import Split, snapshot_dates, spine_of
from training.trained import About, Trained, described
from training.trees import grow

NAME = "churn"
BASELINE = "silence"
BASELINES: dict[str, type[Rule]] = {
    BASELINE: SilenceRule,
    "flag_60d": FlagRule,
    "base_rate": BaseRate,
}
# The longer the silence, the likelier the loss: the one thing that trees must not unlearn.
RISING = ("days_since_order",)
GOLDEN_ROWS = 20


def train_churn(
    history: pl.DataFrame,
    customers: pl.DataFrame,
    products: pl.DataFrame,
    *,
    known_until: datetime,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    about: About,
) -> Trained:
    """Learn from older snapshots, judge by newer ones; what is judged is what will be served.

    Classes are not balanced and nothing is calibrated afterwards: both cost log-loss on real
    orders. Raises NotReadyError where history or outcomes do not suffice.
    """
    dates = churn_dates(history, known_until=known_until, settings=settings.churn)
    train, test = (
        churn_rows(
            history,
            customers,
            some,
            horizon=timedelta(days=settings.churn.horizon_days),
            known_until=known_until,
            feature_settings=feature_settings,
        )
        for some in (dates.train, dates.test)
    )
    return fit_churn(
        train, test, settings=settings, feature_settings=feature_settings, origin=about
    )


def churn_dates(history: pl.DataFrame, *, known_until: datetime, settings: ChurnSettings) -> Split:
    """The dates of `settings`, counted back from `known_until`."""
    return snapshot_dates(
        history,
        known_until=known_until,
        horizon=timedelta(days=settings.horizon_days),
        every=timedelta(days=settings.every_days),
        train=settings.train_snapshots,
        test=settings.test_snapshots,
    )


def churn_rows(
    history: pl.DataFrame,
    customers: pl.DataFrame,
    dates: Iterable[datetime],
    *,
    horizon: timedelta,
    known_until: datetime,
    feature_settings: FeatureSettings,
) -> pl.DataFrame:
    """Features and `label` (1.0 = churned) of everybody at each date, where the label is known."""
    spine = spine_of(history, dates)
    label = churned(history, spine, horizon=horizon, known_until=known_until)
    rows: pl.DataFrame = features_as_of(history, spine, customers, settings=feature_settings)
    return (
        rows.join(label, on=["customer_id", "as_of"], how="left", maintain_order="left")
        .drop_nulls("churned")
        .with_columns(
            pl.col(MODEL_INPUTS).cast(pl.Float64), label=pl.col("churned").cast(pl.Float64)
        )
    )


def fit_churn(
    train: pl.DataFrame,
    test: pl.DataFrame,
    *,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    origin: About,
) -> Trained:
    """The model learnt from the rows of `train`, judged by the rows of `test` (see churn_rows)."""
    for rows, use in ((train, "training"), (test, "test")):
        _refuse_one_outcome(rows, use, settings.churn)
    booster = grow(
        train.select(MODEL_INPUTS).to_numpy(),
        train.get_column("label").to_numpy(),
        names=MODEL_INPUTS,
        monotone=[int(name in RISING) for name in MODEL_INPUTS],
        offset=None,
        weights=None,
        settings=settings.churn,
    )
    inputs = test.select(booster.inputs)
    truth = test.get_column("label").to_numpy()
    contestants = {"model": sigmoid(booster.raw(inputs.to_numpy()))}
    for name, rule in BASELINES.items():
        fitted = rule.fit(train, train.get_column("label").to_numpy())
        contestants[name] = fitted.probability(test)
    customer = test.get_column("customer_id").rank("dense").cast(pl.UInt32)
    report = report_on(
        contestants,
        truth,
        customer.to_numpy(),
        baseline=BASELINE,
        segments=test.get_column("segment", default=None),
        facts=_facts(train, test),
        settings=settings.resampling,
    )
    shown = {name: contestants[name] for name in ("model", BASELINE)}
    return Trained(
        model=Model(
            name=NAME,
            version=UNRECORDED,
            inputs=booster.inputs,
            booster=booster,
            tables={},
            about=described(
                origin,
                report,
                settings=settings.churn.model_dump(mode="json"),
                feature_settings=feature_settings.of_features(),
                meanings={f.name: f.meaning for f in CATALOG if f.name in booster.inputs},
            ),
        ),
        report=report,
        examples=inputs.with_columns(
            customer=customer,
            label=truth,
            baseline_loss=log_losses(truth, contestants[BASELINE]),
        ),
        golden=inputs.sample(min(GOLDEN_ROWS, test.height), seed=settings.churn.seed),
        figures={
            "calibration": calibration_plot(truth, shown),
            "gain": gain_plot(truth, shown),
            "lift": lift_plot(truth, shown),
        },
    )


def _facts(train: pl.DataFrame, test: pl.DataFrame) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for use, rows in (("train", train), ("test", test)):
        facts[f"{use}_rows"] = rows.height
        facts[f"{use}_customers"] = rows.get_column("customer_id").n_unique()
        facts[f"{use}_share_churned"] = float(np.mean(rows.get_column("label").to_numpy()))
        dates = rows.get_column("as_of").unique().sort()
        facts[f"{use}_dates"] = [date.date().isoformat() for date in dates]
    return facts


def _refuse_one_outcome(rows: pl.DataFrame, use: str, settings: ChurnSettings) -> None:
    seen = rows.get_column("label").n_unique()
    if seen < 2:
        raise NotReadyError(
            f"in the {rows.height} {use} rows of the churn model everybody did the same within "
            f"{settings.horizon_days} days; choose another horizon_days under [training.churn] "
            "in onje.toml, or bring more orders in with `onje ingest`"
        )
