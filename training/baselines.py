"""What a model has to beat: rules that anybody could write on a napkin, turned into probabilities.

On every task of this kind they come within one or two per cent of gradient boosting; a model that
does not beat them is not worth its upkeep.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression

from training.evaluate import Floats
from training.model.model import sigmoid

# Each doubling of a customer's orders makes up for 42 days of silence. Fixed: this is a napkin.
DAYS_PER_LOG_ORDER = 60.0
FLAGGED_AFTER_DAYS = 60.0
# Enough to keep the slope finite where the rule happens to be perfect, too weak to be seen else.
INVERSE_RIDGE = 1e4


def silence(features: pl.DataFrame) -> Floats:
    """Days since the last order, less 60 ln(orders): the longer, the likelier the loss."""
    score = pl.col("days_since_order") - DAYS_PER_LOG_ORDER * pl.col("orders").log()
    return features.select(score).to_series().to_numpy()


@dataclass(frozen=True)
class SilenceRule:
    """P(churn) by a logistic curve over `silence`."""

    centre: float
    scale: float
    intercept: float
    slope: float

    @classmethod
    def fit(cls, features: pl.DataFrame, labels: Floats) -> SilenceRule:
        """Learn the curve from customers with at least one order each."""
        score = silence(features)
        centre, scale = float(score.mean()), float(score.std()) or 1.0
        curve = LogisticRegression(C=INVERSE_RIDGE).fit(((score - centre) / scale)[:, None], labels)
        return cls(centre, scale, float(curve.intercept_[0]), float(curve.coef_[0, 0]))

    def probability(self, features: pl.DataFrame) -> Floats:
        """P(churn) of each row."""
        standard = (silence(features) - self.centre) / self.scale
        return sigmoid(self.intercept + self.slope * standard)


@dataclass(frozen=True)
class FlagRule:
    """P(churn) of two groups: silent for 60 days, or not. The rule that most shops run."""

    if_silent: float
    if_not: float

    @classmethod
    def fit(cls, features: pl.DataFrame, labels: Floats) -> FlagRule:
        """Learn the share of both groups, each with one more customer of the average kind."""
        flagged, average = _flagged(features), float(labels.mean())
        share = [
            (float(labels[group].sum()) + average) / (int(group.sum()) + 1)
            for group in (flagged, ~flagged)
        ]
        return cls(*share)

    def probability(self, features: pl.DataFrame) -> Floats:
        """P(churn) of each row."""
        return np.where(_flagged(features), self.if_silent, self.if_not)


@dataclass(frozen=True)
class BaseRate:
    """The same P(churn) for everybody."""

    share: float

    @classmethod
    def fit(cls, features: pl.DataFrame, labels: Floats) -> BaseRate:
        """Learn the share of all."""
        return cls(float(labels.mean()))

    def probability(self, features: pl.DataFrame) -> Floats:
        """P(churn) of each row."""
        return np.full(features.height, self.share)


Rule = SilenceRule | FlagRule | BaseRate


def _flagged(features: pl.DataFrame) -> np.typing.NDArray[np.bool_]:
    return features.get_column("days_since_order").to_numpy() >= FLAGGED_AFTER_DAYS
