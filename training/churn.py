"""The churn model: P(no order within the horizon) of everybody who ever ordered.

What orders alone say (training.prior) is the offset; trees add what the other features know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from features.build import features_as_of
from features.catalog import CATALOG, MODEL_INPUTS
from features.hashing import stable_hash
from features.settings import FeatureSettings
from training.baselines import BaseRate, FlagRule, Rule, SilenceRule
from training.calibrating import NONE, Choice, Said, choose_calibration, correction, not_asked
from training.labels import churned
from training.model.bgnbd import BgNbd, Rhythms
from training.model.booster import Booster
from training.model.churn import NEWCOMERS, SEEN, churn_of
from training.model.model import UNRECORDED, Model
from training.model.prior import RHYTHM, prior_log_odds
from training.prior import fit_prior
from training.settings import ChurnSettings, TrainingSettings
from training.snapshots import Split, snapshot_dates, spine_of
from training.trained import About, Fit, Trained, trainer
from training.trees import grow
from training.yes_no import handed_over, refuse_one_outcome

NAME = "churn"
BASELINE = "silence"
BASELINES: dict[str, type[Rule]] = {
    BASELINE: SilenceRule,
    "flag_60d": FlagRule,
    "base_rate": BaseRate,
}
# The longer the silence, the likelier the loss: the one thing that trees must not unlearn.
RISING = ("days_since_order", "silence_ratio")
# The share of newcomers who are lost counts as if the model had seen so many more of them.
NEWCOMERS_ASSUMED = 20
# Models of fewer customers boast more than that of all of them; of three, each lacks a third.
PARTS = 3


def prepare_churn(
    history: pl.DataFrame,
    customers: pl.DataFrame,
    products: pl.DataFrame,
    *,
    known_until: datetime,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    about: About,
) -> Fit:
    """Features and labels of all snapshots; what grows trees on them and judges them.

    Learn from older snapshots, judge by newer ones; what is judged is what will be served.

    Classes are never balanced, and probabilities are corrected only where later customers say
    that it surely helps. Raises NotReadyError where history or outcomes do not suffice.
    """
    dates = churn_dates(history, known_until=known_until, settings=settings.churn)
    rows = churn_rows(
        history,
        customers,
        [*dates.train, *dates.test],
        horizon=timedelta(days=settings.churn.horizon_days),
        known_until=known_until,
        feature_settings=feature_settings,
    )
    is_test = pl.col("as_of") >= dates.test[0]  # all dates of training lie before
    train, test = rows.filter(~is_test), rows.filter(is_test)
    return lambda chosen: fit_churn(
        train, test, settings=chosen, feature_settings=feature_settings, origin=about
    )


train_churn = trainer(prepare_churn)


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
    """Features and `label` (1.0 = churned) of everybody at each date, where the label is known.

    Each customer's past is told once, whatever the number of dates.
    """
    spine = spine_of(history, dates)
    label = churned(history, spine, horizon=horizon, known_until=known_until)
    newest = spine.get_column("as_of").max()
    seen = history.filter(pl.col("at") < newest, pl.col("known_at") <= newest)
    rows: pl.DataFrame = features_as_of(seen, spine, customers, settings=feature_settings)
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
        refuse_one_outcome(rows, use, model=NAME, days=settings.churn.horizon_days, table="churn")
    booster, tables = _learnt(train, settings.churn)
    tables |= {SEEN: train.select(pl.col("days_since_order").max())}
    choice = _calibration(train, settings)
    if choice.chosen != NONE:
        tables |= correction(choice.chosen, _said_of_others(train, settings.churn))
    plain = Model(
        name=NAME,
        version=UNRECORDED,
        inputs=booster.inputs,
        booster=booster,
        tables=tables,
        about={},
    )
    model = replace(plain, tables=tables | _newcomers(plain, train, settings.churn))
    labels = train.get_column("label").to_numpy()
    chances = {"model": churn_of(model, test)}
    chances |= {name: rule.fit(train, labels).probability(test) for name, rule in BASELINES.items()}
    if RHYTHM in tables:
        rhythm = BgNbd.from_table(tables[RHYTHM])
        chances["bgnbd"] = rhythm.silent(Rhythms.of(test), settings.churn.horizon_days)
    return handed_over(
        model,
        train,
        test,
        chances,
        baseline=BASELINE,
        outcome="churned",
        facts={"calibration": choice.as_facts()},
        settings=settings.churn,
        resampling=settings.resampling,
        feature_settings=feature_settings,
        meanings={f.name: f.meaning for f in CATALOG if f.name in booster.inputs},
        origin=origin,
    )


def _learnt(rows: pl.DataFrame, settings: ChurnSettings) -> tuple[Booster, dict[str, pl.DataFrame]]:
    """Trees and the tables of the prior which they add to, from `rows` with their labels."""
    labels = rows.get_column("label").to_numpy()
    tables = fit_prior(rows, labels, days=settings.horizon_days)
    inputs = rows.select(MODEL_INPUTS)
    booster = grow(
        inputs.to_numpy(),
        labels,
        names=MODEL_INPUTS,
        monotone=[int(name in RISING) for name in MODEL_INPUTS],
        offset=prior_log_odds(tables, inputs),
        weights=None,
        settings=settings,
    )
    return booster, tables


def _calibration(rows: pl.DataFrame, settings: TrainingSettings) -> Choice:
    """Judged by the newest date, of a model of the dates whose labels were known by then."""
    if not settings.churn.calibrate:
        return not_asked("[training.churn] calibrate is false")
    newest = rows.get_column("as_of").max()
    before = pl.col("as_of") <= pl.lit(newest) - timedelta(days=settings.churn.horizon_days)
    earlier, later = rows.filter(before), rows.filter(pl.col("as_of") == newest)
    if any(part.get_column("label").n_unique() < 2 for part in _parted(earlier)):
        return not_asked(
            "no date of training lies a whole horizon before its newest and has both outcomes; "
            "more train_snapshots or an older history would give one"
        )
    judged = _said(*_learnt(earlier, settings.churn), later)
    learnt = _said_of_others(earlier, settings.churn)
    return choose_calibration(learnt, judged, settings=settings.resampling)


def _said_of_others(rows: pl.DataFrame, settings: ChurnSettings) -> Said:
    """Of each part of the customers what a model says that learnt from all others."""
    parts = _parted(rows)
    said = [
        _said(*_learnt(pl.concat(parts[:place] + parts[place + 1 :]), settings), part)
        for place, part in enumerate(parts)
    ]
    return Said(
        log_odds=np.concatenate([part.log_odds for part in said]),
        labels=np.concatenate([part.labels for part in said]),
        customers=pl.concat([part.customers for part in said]),
    )


def _said(booster: Booster, tables: dict[str, pl.DataFrame], rows: pl.DataFrame) -> Said:
    inputs = rows.select(MODEL_INPUTS)
    return Said(
        log_odds=booster.raw(inputs.to_numpy()) + prior_log_odds(tables, inputs),
        labels=rows.get_column("label").to_numpy(),
        customers=rows.get_column("customer_id"),
    )


def _parted(rows: pl.DataFrame) -> list[pl.DataFrame]:
    """Each customer, with all dates, in one of PARTS; by name, whoever else is there."""
    names = rows.get_column("customer_id").unique(maintain_order=True)
    part_of = {name: stable_hash(name, "parts") % PARTS for name in names}
    part = rows.get_column("customer_id").replace_strict(part_of, return_dtype=pl.UInt8)
    return [rows.filter(part == number) for number in range(PARTS)]


def _newcomers(
    model: Model, rows: pl.DataFrame, settings: ChurnSettings
) -> dict[str, pl.DataFrame]:
    """The share of the lost among whoever ordered first within `newcomer_days`, as a table."""
    new = rows.filter(pl.col("days_since_first_order") < settings.newcomer_days)
    if new.is_empty():
        return {}
    expected = float(churn_of(model, new).mean())
    lost = float(new.get_column("label").sum()) + NEWCOMERS_ASSUMED * expected
    share = lost / (new.height + NEWCOMERS_ASSUMED)
    return {NEWCOMERS: pl.DataFrame({"days": [float(settings.newcomer_days)], "share": [share]})}
