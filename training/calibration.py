"""Whether probabilities come true: over bins, in the large, by segment, and among the chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from training.evaluate import Floats, Interval, Metric, ratio
from training.settings import ResamplingSettings

CALIBRATION_BINS = 15
# Of what came true and of what did not: with fewer, a share says little, its interval even less.
FEWEST_ANSWERS = 20
HALVINGS = 40


def observed_to_expected(labels: Floats, probabilities: Floats) -> Metric:
    """Calibration in the large: how often it came true, over how often it was promised to.

    1 is as promised; below 1, too much was promised.
    """
    parts = sparse.csr_array(np.stack([labels, probabilities]))
    return Metric(parts, lambda sums: ratio(sums[0], sums[1]), least=0.0, most=np.inf)


def observed_to_expected_by(
    groups: pl.Series, labels: Floats, probabilities: Floats
) -> dict[str, Metric]:
    """The same for the rows of each group with enough answers of both kinds, by its name."""
    found = {}
    names = groups.cast(pl.String).fill_null("unknown")
    for name in names.unique().sort():
        rows = (names == name).to_numpy()
        if min(labels[rows].sum(), (1 - labels[rows]).sum()) >= FEWEST_ANSWERS:
            found[name] = observed_to_expected(labels * rows, probabilities * rows)
    return found


def observed_to_expected_among(
    chosen: NDArray[np.bool_], labels: Floats, probabilities: Floats
) -> dict[str, Metric]:
    """The same for the `chosen` rows; empty where they hold too few answers."""
    return {
        name: metric
        for name, metric in observed_to_expected_by(
            pl.Series(np.where(chosen, "chosen", "left")), labels, probabilities
        ).items()
        if name == "chosen"
    }


def highest_of_each(choices: NDArray[np.int64], scores: Floats) -> NDArray[np.bool_]:
    """Whether each row is the one an argmax takes among the rows of its choice; the first, if tied.

    Who takes the highest of several estimates takes those that err upwards: each may be calibrated
    and the chosen not (maximization bias, the winner's curse: arXiv 2205.09809).
    """
    order = np.lexsort((np.arange(len(scores)), -scores, choices))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = np.diff(choices[order]) != 0
    highest = np.zeros(len(order), dtype=np.bool_)
    highest[order[first]] = True
    return highest


def calibration_error(
    labels: Floats,
    probabilities: Floats,
    customers: NDArray[np.int64],
    *,
    settings: ResamplingSettings,
) -> Interval:
    """How far predicted and observed shares lie apart, over 15 bins of equal mass (ECE).

    Equal probabilities share a bin, however many rows have them. Chance alone parts the shares of
    any bin, so that this estimate is too large (Kumar, Liang and Ma 2019), most of all where
    calibration is perfect; quantiles of a bootstrap, as they are or mirrored, then hold the truth
    in 0 to 47 % of draws. The interval has what the estimate has not: it is made of the deviations
    g x found, for all g >= 0 under which an ECE as found is neither among the lowest nor the
    highest (a test turned round), deviations having the covariance seen between customers. It may
    so lie below the estimate, and begins at 0 where calibration may be perfect.
    """
    deviations = _deviations(labels, probabilities, customers)
    found = float(np.abs(deviations.shares).sum())
    if found == 0:
        return Interval(0.0, 0.0, 0.0)
    by_chance = deviations.drawn(settings)

    def reaches_what_was_found(quantile: float) -> Callable[[float], bool]:
        def at(times: float) -> bool:
            errors = np.abs(times * deviations.shares + by_chance).sum(axis=1)
            return float(np.quantile(errors, quantile)) >= found

        return at

    tail = (1 - settings.level) / 2
    low = found * _least(reaches_what_was_found(1 - tail))
    high = found * _least(reaches_what_was_found(tail))
    return Interval(low, found, min(1.0, high))


@dataclass(frozen=True)
class _Deviations:
    """Observed less predicted share of each bin [bins], and what each customer adds to it."""

    shares: Floats
    influence: Floats

    def drawn(self, settings: ResamplingSettings) -> Floats:
        """What chance alone does to them [replicates, bins]."""
        customers = len(self.influence)
        covariance = self.influence.T @ self.influence * customers / max(1, customers - 1)
        values, vectors = np.linalg.eigh(covariance)
        random = np.random.default_rng(settings.seed)
        independent = random.normal(size=(settings.replicates, len(values)))
        drawn: Floats = independent * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
        return drawn


def _deviations(labels: Floats, probabilities: Floats, customers: NDArray[np.int64]) -> _Deviations:
    rows = len(labels)
    _, level, sizes = np.unique(probabilities, return_inverse=True, return_counts=True)
    lower_rows = np.cumsum(sizes) - sizes
    bins = (lower_rows * CALIBRATION_BINS // rows)[level]
    groups, whose = np.unique(customers, return_inverse=True)
    sums = np.zeros((len(groups), CALIBRATION_BINS))
    np.add.at(sums, (whose, bins), labels - probabilities)
    shares = sums.sum(axis=0) / rows
    expected = np.outer(np.bincount(whose), shares)
    return _Deviations(shares, (sums - expected) / rows)


def _least(holds: Callable[[float], bool]) -> float:
    """The least number from 0 on for which `holds`, which holds for all above it."""
    if holds(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while not holds(high):
        low, high = high, 2 * high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
