"""How much the hours of others count beside a customer's own: fitted, not guessed.

The weights are those under which the acts that followed were likeliest, given the acts before (the
predictive form of the marginal likelihood). The usual form, the likelihood of the past counts under
a Dirichlet prior, knows nothing of smoothing: for it, an act at 17 h says nothing about 18 h, and
it asks for a prior several times too heavy.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from training.model.habits import habits_in
from training.model.shrinkage import Floats, Kinds, Shrinkage
from training.send_hour_kinds import common_in, fit_kinds

# Tried in turn, one weight at a time, until none improves. Finer steps change the fourth digit.
GRIDS: dict[str, tuple[float, ...]] = {
    "telling": (0.1, 0.2, 0.35, 0.5, 0.7, 1.0),
    "smoothing_hours": (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0),
    "other_days": (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0),
    "customer_weight": (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 96.0),
}
START = Shrinkage(
    smoothing_hours=1.0, other_days=0.2, customer_weight=16.0, segment_weight=64.0, telling=0.5
)
SEGMENT_WEIGHTS = (16.0, 64.0, 256.0, 1024.0)


def fit_shrinkage(
    past: Floats, segments: pl.Series, following: Floats, *, kinds: int, seed: int
) -> tuple[Shrinkage, Kinds]:
    """The weights, and the kinds of people, under which `following` was likeliest after `past`.

    Both [n, 2, 24] acts. At most `kinds` kinds; they and the weights are found twice, in turn.
    """
    best = START
    for _ in range(2):
        found = fit_kinds(past, segments, best, most=kinds, seed=seed)
        best = _climbed(best, found, past, segments, following)
    found = fit_kinds(past, segments, best, most=kinds, seed=seed)
    trials = [
        (replace(best, segment_weight=weight), common_in(past, segments, found, best, weight))
        for weight in SEGMENT_WEIGHTS
    ]
    return max(trials, key=lambda one: _likelihood(one[0], one[1], past, segments, following))


def _climbed(
    start: Shrinkage, kinds: Kinds, past: Floats, segments: pl.Series, following: Floats
) -> Shrinkage:
    best, likelihood = start, _likelihood(start, kinds, past, segments, following)
    improves = True
    while improves:
        improves = False
        for name, grid in GRIDS.items():
            for value in grid:
                trial = replace(best, **{name: value})
                tried = _likelihood(trial, kinds, past, segments, following)
                if tried > likelihood:
                    best, likelihood, improves = trial, tried, True
    return best


def _likelihood(
    shrinkage: Shrinkage, kinds: Kinds, past: Floats, segments: pl.Series, following: Floats
) -> float:
    """Mean ln of the share given to the hours that followed; each row and kind of day once."""
    shares = habits_in(past, segments, kinds, shrinkage).shares
    total = following.sum(axis=-1, keepdims=True)
    weight = np.divide(following, total, out=np.zeros_like(following), where=total > 0)
    return float((weight * np.log(shares)).sum() / max(1, int((total > 0).sum())))
