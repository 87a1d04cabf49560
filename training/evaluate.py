"""Metrics with intervals that hold when a customer appears more than once.

A bootstrap draws customers, not rows, because the rows of one customer are alike. All metrics of
one call see the same draws, so the interval of a difference is a paired one. No row is ever
copied: every metric here is a function of sums over customers, so a draw is a vector of weights
(how often each customer was drawn), and a block of draws costs one product of sparse matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit, logit
from scipy.stats import norm

from training.settings import ResamplingSettings

Floats = NDArray[np.float64]
Name = TypeVar("Name", bound=Hashable)

# No probability is believed to be 0 or 1: one such mistake would cost infinitely much.
LEAST_PROBABILITY = 1e-6
# Numbers in a block of draws: 16 MB.
MOST_NUMBERS = 2_000_000


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval around it."""

    low: float
    estimate: float
    high: float

    @property
    def is_surely_positive(self) -> bool:
        """Whether all of it lies above zero; without any width nothing is sure, but unknown."""
        return 0 < self.low < self.high

    def as_list(self) -> list[float]:
        """[low, estimate, high], for JSON."""
        return [self.low, self.estimate, self.high]

    def __str__(self) -> str:
        return f"{self.estimate:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Metric:
    """A number about rows, made from weighted sums over them.

    `parts` [sums, rows] says what each row adds to each sum; `of` turns sums [sums, draws] into the
    number of each draw [draws]. `least` and `most` are where the number ends, so intervals do too.
    """

    parts: sparse.csr_array
    of: Callable[[Floats], Floats]
    least: float
    most: float


def intervals(
    metrics: Mapping[Name, Metric], customers: NDArray[np.int64], *, settings: ResamplingSettings
) -> dict[Name, Interval]:
    """Each metric with its interval; `customers` [rows] says whose each row is.

    The interval is the normal one, with the spread of the draws, on the scale on which the metric
    has no end: log-odds of what lies between 0 and 1, the logarithm of what lies above 0 (Efron and
    Tibshirani 1993, ch. 13). Quantiles of the draws, as they are or mirrored, hold the truth less
    often where outcomes are rare (`python -m benchmarks coverage`), and want more draws.
    """
    _, whose = np.unique(customers, return_inverse=True)
    rows, count = len(whose), int(whose.max()) + 1
    belongs = sparse.csr_array((np.ones(rows), (np.arange(rows), whose)), shape=(rows, count))
    sums = {name: metric.parts @ belongs for name, metric in metrics.items()}
    drawn: dict[Name, list[Floats]] = {name: [] for name in metrics}
    for weights in _draws(count, block=max(1, MOST_NUMBERS // rows), settings=settings):
        for name, metric in metrics.items():
            drawn[name].append(metric.of(sums[name] @ weights))
    everybody_once = np.ones((count, 1))
    reach = float(norm.ppf((1 + settings.level) / 2))
    result = {}
    for name, metric in metrics.items():
        estimate = float(metric.of(sums[name] @ everybody_once)[0])
        spread = float(np.nanstd(np.concatenate(drawn[name])))
        low, high = (_moved(metric, estimate, step) for step in (-reach * spread, reach * spread))
        result[name] = Interval(low, estimate, high)
    return result


def customers_of_weight(customers: NDArray[np.int64]) -> float:
    """How many customers with as many rows each would say as much as these rows [rows] do.

    Kish's effective size: of a thousand rows, of which one customer has nearly all, about one.
    """
    rows = np.unique(customers, return_counts=True)[1].astype(np.float64)
    return float(rows.sum() ** 2 / (rows**2).sum()) if len(rows) else 0.0


def _moved(metric: Metric, estimate: float, step: float) -> float:
    """`estimate` by `step`, the longer the way the farther from an end; one at an end stays."""
    if not metric.least < estimate < metric.most:
        return estimate
    if (metric.least, metric.most) == (0.0, 1.0):
        return float(expit(logit(estimate) + step / (estimate * (1 - estimate))))
    if (metric.least, metric.most) == (0.0, np.inf):
        return float(estimate * np.exp(step / estimate))
    return float(np.clip(estimate + step, metric.least, metric.most))


def log_losses(labels: Floats, probabilities: Floats) -> Floats:
    """The log-loss of each row: -ln of the probability given to what happened."""
    given = np.where(labels > 0.5, probabilities, 1 - probabilities)
    losses: Floats = -np.log(np.clip(given, LEAST_PROBABILITY, 1.0))
    return losses


def mean(values: Floats) -> Metric:
    """The mean of a value per row that may lie anywhere, such as a paired gain in log-loss."""
    parts = sparse.csr_array(np.stack([values, np.ones_like(values)]))
    return Metric(parts, lambda sums: sums[0] / sums[1], least=-np.inf, most=np.inf)


def loss(values: Floats, *, most: float) -> Metric:
    """The mean of what no row can have less than nothing of: log-loss, Brier score."""
    return replace(mean(values), least=0.0, most=most)


def auc(labels: Floats, scores: Floats) -> Metric:
    """The chance that a positive row scores above a negative one; a tie counts half."""
    levels, parts = answers_by_score(labels, scores)

    def of(sums: Floats) -> Floats:
        hits, misses = sums[:levels], sums[levels:]
        below = np.cumsum(misses, axis=0) - misses
        won = (hits * (below + misses / 2)).sum(axis=0)
        return ratio(won, hits.sum(axis=0) * misses.sum(axis=0))

    return Metric(parts, of, least=0.0, most=1.0)


def average_precision(labels: Floats, scores: Floats) -> Metric:
    """The mean precision over the recall, highest scores first (scikit-learn's definition)."""
    levels, parts = answers_by_score(labels, -scores)

    def of(sums: Floats) -> Floats:
        hits, misses = sums[:levels], sums[levels:]
        found = np.cumsum(hits, axis=0)
        precision = np.nan_to_num(ratio(found, found + np.cumsum(misses, axis=0)))
        return ratio((hits * precision).sum(axis=0), found[-1])

    return Metric(parts, of, least=0.0, most=1.0)


def metrics_of(labels: Floats, probabilities: Floats) -> dict[str, Metric]:
    """The metrics by which a probability is judged; `ap_negative` ranks the other outcome."""
    return {
        "auc": auc(labels, probabilities),
        "ap": average_precision(labels, probabilities),
        "ap_negative": average_precision(1 - labels, -probabilities),
        "log_loss": loss(log_losses(labels, probabilities), most=np.inf),
        "brier": loss((labels - probabilities) ** 2, most=1.0),
    }


def _draws(count: int, *, block: int, settings: ResamplingSettings) -> Iterator[Floats]:
    """How often each customer was drawn [customers, draws], block by block."""
    random = np.random.default_rng(settings.seed)
    for start in range(0, settings.replicates, block):
        draws = min(block, settings.replicates - start)
        drawn = random.integers(count, size=(draws, count)) + count * np.arange(draws)[:, None]
        times = np.bincount(drawn.ravel(), minlength=draws * count).reshape(draws, count)
        yield np.ascontiguousarray(times.T, dtype=np.float64)


def answers_by_score(labels: Floats, scores: Floats) -> tuple[int, sparse.csr_array]:
    """The number of distinct scores, and parts that count first positives, then negatives of each.

    The sums come in rising order of scores.
    """
    distinct, level = np.unique(scores, return_inverse=True)
    levels, rows = len(distinct), len(scores)
    which = np.where(labels > 0.5, level, levels + level)
    parts = sparse.csr_array((np.ones(rows), (which, np.arange(rows))), shape=(2 * levels, rows))
    return levels, parts


def ratio(part: Floats, whole: Floats) -> Floats:
    """`part` by `whole`; NaN where a draw holds nothing of the whole."""
    share: Floats = np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
    return share
