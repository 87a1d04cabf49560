"""What the model of the dormancy date has to beat: shares by silence and by week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.evaluate import Floats

# The silence, in steps of so many days; of a later week only the week counts.
SILENCE_DAYS = 10
# A share counts as if it had been seen in so many more cases of its kind.
ASSUMED = 10


@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """P(turns) of first steps by silence, of later steps by week; both as shares of those at risk.

    The survival curve of a group is the product of one less its shares (Kaplan and Meier 1958).
    """

    first: Floats
    later: Floats

    @classmethod
    def fit(cls, cases: pl.DataFrame, labels: Floats) -> KaplanMeier:
        """Learn the shares; few cases are pulled towards the share of all of their kind."""
        is_first, group = _groups(cases)
        size = int(group.max()) + 1
        first, later = (
            _shares(group[chosen], labels[chosen], size) for chosen in (is_first, ~is_first)
        )
        return cls(first, later)

    def probability(self, cases: pl.DataFrame) -> Floats:
        """P(turns) of each case; beyond what was seen the farthest that was."""
        is_first, group = _groups(cases)
        known = np.minimum(group, len(self.first) - 1)
        return np.where(is_first, self.first[known], self.later[known])


@dataclass(frozen=True)
class ShareOfSteps:
    """The same P(turns) for all first steps, and another for all later ones."""

    first: float
    later: float

    @classmethod
    def fit(cls, cases: pl.DataFrame, labels: Floats) -> ShareOfSteps:
        """Learn both shares, each with one more case of the average kind."""
        is_first, _ = _groups(cases)
        average = float(labels.mean())
        first, later = (
            (float(labels[chosen].sum()) + average) / (int(chosen.sum()) + 1)
            for chosen in (is_first, ~is_first)
        )
        return cls(first, later)

    def probability(self, cases: pl.DataFrame) -> Floats:
        """P(turns) of each case."""
        is_first, _ = _groups(cases)
        return np.where(is_first, self.first, self.later)


def _groups(cases: pl.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    is_first = cases.get_column("is_first").to_numpy() > 0
    silence = cases.get_column("days_since_order").to_numpy() // SILENCE_DAYS
    group = np.where(is_first, silence, cases.get_column("week").to_numpy())
    return is_first, group.astype(np.int64)


def _shares(group: NDArray[np.int64], labels: Floats, size: int) -> Floats:
    average = float(labels.mean()) if len(labels) else 0.0
    turned = np.bincount(group, weights=labels, minlength=size)
    at_risk = np.bincount(group, minlength=size)
    shares: Floats = (turned + ASSUMED * average) / (at_risk + ASSUMED)
    return shares
