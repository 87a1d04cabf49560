"""The model of e-mail dormancy: P(neither a click nor a visit follows the next e-mails)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.acts import IS_EMAIL
from features.bots import judged
from features.build import features_as_of
from features.catalog import CATALOG, MODEL_INPUTS
from features.errors import NotReadyError
from features.settings import FeatureSettings
from training.baselines import BaseRate
from training.evaluate import Floats
from training.labels import email_dormant
from training.model.model import UNRECORDED, Model, sigmoid
from training.settings import TrainingSettings
from training.snapshots import dates_since
from training.trained import About, Fit, Trained, trainer
from training.trees import grow
from training.yes_no import handed_over, refuse_one_outcome

NAME = "email-dormancy"
BASELINE = "silent_60d"
MAILED_DAYS = 60
# The longer they have not answered, the likelier they never will.
RISING = ("days_since_click", "days_since_session", "unclicked_streak")


@dataclass(frozen=True)
class SilentRule:
    """P(dormant) of two groups: no click and no visit for 60 days, or some. Every sender's rule."""

    if_silent: float
    if_not: float

    @classmethod
    def fit(cls, features: pl.DataFrame, labels: Floats) -> SilentRule:
        """Learn the share of both groups, each with one more customer of the average kind."""
        silent, average = _silent(features), float(labels.mean())
        share = [
            (float(labels[group].sum()) + average) / (int(group.sum()) + 1)
            for group in (silent, ~silent)
        ]
        return cls(*share)

    def probability(self, features: pl.DataFrame) -> Floats:
        """P(dormant) of each row."""
        return np.where(_silent(features), self.if_silent, self.if_not)


def prepare_email_dormancy(
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

    Learn from older snapshots of who gets mail, judge by newer ones.

    Customers who get fewer than `least_delivered` e-mails within the horizon have no label: the
    answer holds for who goes on getting mail. Raises NotReadyError where the data has no
    deliveries, no visits and clicks, or not enough of them.
    """
    chosen = settings.dormancy
    _refuse_what_tells_nothing(history.filter(pl.col("known_at") <= known_until))
    dates = dates_since(
        history.filter(_IS_DELIVERY).get_column("at").min(),
        "e-mail",
        known_until=known_until,
        horizon=timedelta(days=chosen.horizon_days),
        every=timedelta(days=chosen.every_days),
        train=chosen.train_snapshots,
        test=chosen.test_snapshots,
    )
    train, test = (
        email_rows(
            history,
            customers,
            some,
            known_until=known_until,
            settings=settings,
            feature_settings=feature_settings,
        )
        for some in (dates.train, dates.test)
    )
    for rows, use in ((train, "training"), (test, "test")):
        refuse_one_outcome(rows, use, model=NAME, days=chosen.horizon_days, table="dormancy")
    return lambda chosen: _fitted(
        train, test, settings=chosen, feature_settings=feature_settings, origin=about
    )


train_email_dormancy = trainer(prepare_email_dormancy)


def _fitted(
    train: pl.DataFrame,
    test: pl.DataFrame,
    *,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    origin: About,
) -> Trained:
    """The model learnt from the rows of `train`, judged by the rows of `test` (see email_rows)."""
    chosen = settings.dormancy
    labels = train.get_column("label").to_numpy()
    booster = grow(
        train.select(MODEL_INPUTS).to_numpy(),
        labels,
        names=MODEL_INPUTS,
        monotone=[int(name in RISING) for name in MODEL_INPUTS],
        offset=None,
        weights=None,
        settings=chosen,
    )
    inputs = test.select(MODEL_INPUTS).to_numpy()
    return handed_over(
        Model(
            name=NAME,
            version=UNRECORDED,
            inputs=booster.inputs,
            booster=booster,
            tables={},
            about={},
        ),
        train,
        test,
        {
            "model": sigmoid(booster.raw(inputs)),
            BASELINE: SilentRule.fit(train, labels).probability(test),
            "base_rate": BaseRate.fit(train, labels).probability(test),
        },
        baseline=BASELINE,
        outcome="dormant",
        facts={"least_delivered": chosen.least_delivered},
        settings=chosen,
        resampling=settings.resampling,
        feature_settings=feature_settings,
        meanings={f.name: f.meaning for f in CATALOG if f.name in booster.inputs},
        origin=origin,
    )


def email_rows(
    history: pl.DataFrame,
    customers: pl.DataFrame,
    dates: Iterable[datetime],
    *,
    known_until: datetime,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
) -> pl.DataFrame:
    """Features and `label` (1.0 = dormant) of who was mailed within 60 days, where it is known."""
    spine = _mailed(history, dates)
    label = email_dormant(
        history,
        spine,
        horizon=timedelta(days=settings.dormancy.horizon_days),
        least_delivered=settings.dormancy.least_delivered,
        known_until=known_until,
    ).drop_nulls("email_dormant")
    rows = features_as_of(
        history, label.select("customer_id", "as_of"), customers, settings=feature_settings
    )
    return rows.with_columns(
        pl.col(MODEL_INPUTS).cast(pl.Float64),
        label=label.get_column("email_dormant").cast(pl.Float64),
    )


_IS_DELIVERY = IS_EMAIL & (pl.col("kind") == "deliver")


def _mailed(history: pl.DataFrame, dates: Iterable[datetime]) -> pl.DataFrame:
    """`customer_id`, `as_of`: at each date everybody with an e-mail delivered in 60 days before."""
    mails = history.filter(_IS_DELIVERY).select("customer_id", "at", "known_at")
    reach = timedelta(days=MAILED_DAYS)
    return pl.concat(
        mails.filter(pl.col("at") < date, pl.col("at") >= date - reach, pl.col("known_at") <= date)
        .select(pl.col("customer_id").unique().sort())
        .with_columns(as_of=pl.lit(date).cast(pl.Datetime("us", "UTC")))
        for date in dates
    )


def _silent(features: pl.DataFrame) -> NDArray[np.bool_]:
    silent: NDArray[np.bool_] = features.get_column("answers_60d").to_numpy() == 0
    return silent


def _refuse_what_tells_nothing(known: pl.DataFrame) -> None:
    deliveries = known.filter(_IS_DELIVERY).height
    clicks = judged(known).filter(IS_EMAIL & (pl.col("kind") == "click")).height
    visits = known.filter(pl.col("kind") == "session").height
    if deliveries and (clicks or visits):
        return
    raise NotReadyError(
        f"who turns deaf to e-mail is learnt from deliveries, clicks and visits; found "
        f"{deliveries} deliveries, {clicks} clicks and {visits} visits; bring the events of your "
        "mail sender (deliver, click) and of your shop (session) in, see docs/data-in.md"
    )
