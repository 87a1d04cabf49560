"""Metrics with intervals that hold when a customer appears more than once.

A bootstrap draws customers, not rows, because the rows of one customer are alike. All metrics of
one call see the same draws, so the interval of a difference is a paired one. Instead of copying
rows, a draw is a vector of weights (how often each row was drawn), and each metric is computed for
many draws at once: 2,000 draws of 10,000 rows take a few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training.settings import ResamplingSettings

Floats = NDArray[np.float64]
# From weights [draws, rows] to the metric of each draw [draws].
Metric = Callable[[Floats], Floats]
Name = TypeVar("Name", bound=Hashable)

CALIBRATION_BINS = 15
# No probability is believed to be 0 or 1: one such mistake would cost infinitely much.
LEAST_PROBABILITY = 1e-6
# Numbers in a block of weights: 32 MB.
MOST_WEIGHTS = 4_000_000


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval around it."""

    low: float
    estimate: float
    high: float

    def as_list(self) -> list[float]:
        """[low, estimate, high], for JSON."""
        return [self.low, self.estimate, self.high]

    def __str__(self) -> str:
        return f"{self.estimate:.4f} [{self.low:.4f}, {self.high:.4f}]"


def intervals(
    metrics: Mapping[Name, Metric], customers: NDArray[np.int64], *, settings: ResamplingSettings
) -> dict[Name, Interval]:
    """Each metric with its interval; `customers` [rows] says whose each row is.

    The interval is the basic one (2 x estimate - quantile): a resampled calibration error is too
    large by as much as the estimate itself, and reflection takes both out at once.
    """
    _, cluster = np.unique(customers, return_inverse=True)
    count = int(cluster.max()) + 1
    random = np.random.default_rng(settings.seed)
    once = np.ones((1, len(customers)))
    block = max(1, MOST_WEIGHTS // len(customers))
    drawn: dict[Name, list[Floats]] = {name: [] for name in metrics}
    for start in range(0, settings.replicates, block):
        draws = min(block, settings.replicates - start)
        times = random.multinomial(count, np.full(count, 1 / count), size=draws)
        weights = times.astype(np.float64)[:, cluster]
        for name, metric in metrics.items():
            drawn[name].append(metric(weights))
    tail = (1 - settings.level) / 2
    result = {}
    for name, metric in metrics.items():
        estimate = float(metric(once)[0])
        low, high = np.nanquantile(np.concatenate(drawn[name]), [tail, 1 - tail])
        result[name] = Interval(2 * estimate - float(high), estimate, 2 * estimate - float(low))
    return result


def log_losses(labels: Floats, probabilities: Floats) -> Floats:
    """The log-loss of each row: -ln of the probability given to what happened."""
    given = np.where(labels > 0.5, probabilities, 1 - probabilities)
    losses: Floats = -np.log(np.clip(given, LEAST_PROBABILITY, 1.0))
    return losses


def mean(values: Floats) -> Metric:
    """The mean of a value per row: log-loss, Brier score, a paired gain."""
    return lambda weights: (weights @ values) / weights.sum(axis=1)


def auc(labels: Floats, scores: Floats) -> Metric:
    """The chance that a positive row scores above a negative one; a tie counts half."""
    order = np.argsort(scores, kind="stable")
    ends = _ends_of_ties(scores[order])
    positive = labels[order] > 0.5

    def of(weights: Floats) -> Floats:
        sorted_weights = weights[:, order]
        hits = _per_tie(np.where(positive, sorted_weights, 0.0), ends)
        misses = _per_tie(np.where(positive, 0.0, sorted_weights), ends)
        below = np.cumsum(misses, axis=1) - misses
        won = (hits * (below + misses / 2)).sum(axis=1)
        return _ratio(won, hits.sum(axis=1) * misses.sum(axis=1))

    return of


def average_precision(labels: Floats, scores: Floats) -> Metric:
    """The mean precision over the recall, highest scores first (scikit-learn's definition)."""
    order = np.argsort(-scores, kind="stable")
    ends = _ends_of_ties(scores[order])
    positive = labels[order] > 0.5

    def of(weights: Floats) -> Floats:
        sorted_weights = weights[:, order]
        hits = _per_tie(np.where(positive, sorted_weights, 0.0), ends)
        seen = np.cumsum(_per_tie(sorted_weights, ends), axis=1)
        precision = _ratio(np.cumsum(hits, axis=1), seen)
        return _ratio((hits * np.nan_to_num(precision)).sum(axis=1), hits.sum(axis=1))

    return of


def calibration_error(labels: Floats, probabilities: Floats) -> Metric:
    """How far predicted and observed shares lie apart, over 15 bins of equal mass (ECE)."""
    order = np.argsort(probabilities, kind="stable")
    bins = np.array_split(order, CALIBRATION_BINS)
    membership = np.zeros((len(labels), CALIBRATION_BINS))
    for number, rows in enumerate(bins):
        membership[rows, number] = labels[rows] - probabilities[rows]
    return lambda weights: np.abs(weights @ membership).sum(axis=1) / weights.sum(axis=1)


def metrics_of(labels: Floats, probabilities: Floats) -> dict[str, Metric]:
    """The metrics by which a probability is judged; `ap_negative` ranks the other outcome."""
    return {
        "auc": auc(labels, probabilities),
        "ap": average_precision(labels, probabilities),
        "ap_negative": average_precision(1 - labels, -probabilities),
        "log_loss": mean(log_losses(labels, probabilities)),
        "brier": mean((labels - probabilities) ** 2),
        "ece": calibration_error(labels, probabilities),
    }


def _ends_of_ties(sorted_scores: Floats) -> NDArray[np.int64]:
    return np.append(np.flatnonzero(np.diff(sorted_scores)), len(sorted_scores) - 1)


def _per_tie(values: Floats, ends: NDArray[np.int64]) -> Floats:
    """Sums of `values` [draws, rows] over runs of equal scores."""
    totals: Floats = np.diff(np.cumsum(values, axis=1)[:, ends], axis=1, prepend=0.0)
    return totals


def _ratio(part: Floats, whole: Floats) -> Floats:
    """NaN where a draw holds no positive or no negative row at all."""
    ratio: Floats = np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
    return ratio
