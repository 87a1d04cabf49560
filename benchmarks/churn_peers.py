"""Other ways of foreseeing churn: rules, BG/NBD of lifetimes, curves, and LightGBM as it comes."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import polars as pl
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.catalog import MODEL_INPUTS
from training.baselines import FlagRule, SilenceRule
from training.evaluate import Floats
from training.model.bgnbd import BgNbd, Rhythms
from training.model.model import sigmoid
from training.settings import TrainingSettings
from training.trees import grow

RFM = ("days_since_order", "orders", "basket_value")
PLAIN_TREES = "LightGBM, all features"


def methods(
    settings: TrainingSettings,
) -> dict[str, Callable[[pl.DataFrame, pl.DataFrame], Floats]]:
    """Chances of churn in the rows of the second frame, learnt from those of the first."""
    days = settings.churn.horizon_days

    def rule(kind: type[FlagRule] | type[SilenceRule]) -> Callable[..., Floats]:
        return lambda train, test: kind.fit(train, _labels(train)).probability(test)

    return {
        "60-day flag": rule(FlagRule),
        "silence": lambda train, test: _logistic(train, test, ("days_since_order",), log=False),
        "silence - 60 ln n": rule(SilenceRule),
        "BG/NBD P(0), lifetimes": lambda train, test: _lifetimes(train).silent(
            Rhythms.of(test), days
        ),
        "BG/NBD 1 - P(alive)": lambda train, test: 1 - _lifetimes(train).alive(Rhythms.of(test)),
        "logistic on log RFM": lambda train, test: _logistic(train, test, RFM, log=True),
        PLAIN_TREES: lambda train, test: plain_trees(train, test, settings),
    }


def _labels(rows: pl.DataFrame) -> Floats:
    labels: Floats = rows.get_column("label").to_numpy()
    return labels


def _logistic(
    train: pl.DataFrame, test: pl.DataFrame, names: tuple[str, ...], *, log: bool
) -> Floats:
    curve = make_pipeline(
        SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(max_iter=1000)
    )
    inputs = [pl.col(name).log1p() if log else pl.col(name) for name in names]
    curve.fit(train.select(inputs).to_numpy(), _labels(train))
    chances: Floats = curve.predict_proba(test.select(inputs).to_numpy())[:, 1]
    return chances


def _lifetimes(train: pl.DataFrame) -> BgNbd:
    """Fitted by the library; the library has no P(no order in H), so that is from its four numbers
    (Fader, Hardie and Lee)."""
    from lifetimes import BetaGeoFitter  # a peer, not needed to run

    known = Rhythms.of(train.filter(pl.col("as_of") == pl.col("as_of").max()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = BetaGeoFitter().fit(known.repeats, known.last, known.age)
    return BgNbd(*(float(value) for value in fitted.params_))


def plain_trees(train: pl.DataFrame, test: pl.DataFrame, settings: TrainingSettings) -> Floats:
    """What Onje would be without BG/NBD and logistic curve: 200 trees of 15 leaves."""
    larger = settings.churn.model_copy(update={"rounds": 200, "leaves": 15})
    booster = grow(
        train.select(MODEL_INPUTS).to_numpy(),
        _labels(train),
        names=MODEL_INPUTS,
        monotone=[int(name == "days_since_order") for name in MODEL_INPUTS],
        offset=None,
        weights=None,
        settings=larger,
    )
    return sigmoid(booster.raw(test.select(MODEL_INPUTS).to_numpy()))
