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

from training.model.shrinkage import (
    EVERYONE,
    HOURS,
    KINDS_OF_DAY,
    Curves,
    Floats,
    Shrinkage,
    shrunk,
    smoothed,
    with_other_days,
)

# Tried in turn, one weight at a time, until none improves. Finer steps change the fourth digit.
GRIDS: dict[str, tuple[float, ...]] = {
    "smoothing_hours": (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5),
    "other_days": (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0),
    "customer_weight": (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 48.0, 96.0),
    "segment_weight": (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0),
}
START = Shrinkage(smoothing_hours=1.5, other_days=0.2, customer_weight=4.0, segment_weight=64.0)


def fit_shrinkage(past: Floats, segments: pl.Series, following: Floats) -> Shrinkage:
    """The weights under which `following` was likeliest after `past`, both [rows, 2, 24] acts."""
    spreads = {hours: smoothed(past, hours) for hours in GRIDS["smoothing_hours"]}

    def likelihood_of(trial: Shrinkage) -> float:
        return _likelihood(trial, spreads[trial.smoothing_hours], segments, following)

    best, likelihood = START, likelihood_of(START)
    improves = True
    while improves:
        improves = False
        for name, grid in GRIDS.items():
            for value in grid:
                trial = replace(best, **{name: value})
                tried = likelihood_of(trial)
                if tried > likelihood:
                    best, likelihood, improves = trial, tried, True
    return best


def fit_curves(spread: Floats, segments: pl.Series, segment_weight: float) -> Curves:
    """The curve of everyone, and of each segment, shrunk to it.

    `spread` [rows, 2, 24] holds smoothed acts. A customer counts once however much they do: the
    next mail goes to a customer, not to an act.
    """
    votes = spread / (spread.sum(axis=-1, keepdims=True) + 1)
    # As if one more customer were there at all hours, so that no share is ever zero.
    flat = np.full((KINDS_OF_DAY, HOURS), 1 / HOURS)
    everyone = shrunk(votes.sum(axis=0), flat, 1.0)

    names = segments.drop_nulls().unique().sort().to_list()
    members = [(segments == name).fill_null(False).to_numpy() for name in names]
    heard = np.array([votes[rows].sum(axis=0) for rows in members]).reshape(-1, *flat.shape)
    return Curves(
        segments=(EVERYONE, *names),
        shares=np.concatenate([everyone[None], shrunk(heard, everyone, segment_weight)]),
        is_own=np.append(False, heard.sum(axis=(1, 2)) >= KINDS_OF_DAY * segment_weight),
    )


def _likelihood(
    shrinkage: Shrinkage, spread: Floats, segments: pl.Series, following: Floats
) -> float:
    """Mean ln of the share given to the hours that followed; each row and kind of day once."""
    curves = fit_curves(spread, segments, shrinkage.segment_weight)
    prior = curves.shares[curves.places(segments)]
    own = with_other_days(spread, shrinkage.other_days)
    shares = shrunk(own, prior, shrinkage.customer_weight)
    total = following.sum(axis=-1, keepdims=True)
    weight = np.divide(following, total, out=np.zeros_like(following), where=total > 0)
    return float((weight * np.log(shares)).sum() / max(1, int((total > 0).sum())))
