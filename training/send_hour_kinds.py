"""The kinds of people there are by their hours, found in what customers did (EM)."""

from __future__ import annotations

import numpy as np
import polars as pl

from training.model.shrinkage import (
    EVERYONE,
    HOURS,
    KINDS_OF_DAY,
    Floats,
    Kinds,
    Shrinkage,
    likely_kinds,
    smoothed,
)

ROUNDS = 40
# So many customers a kind needs at least.
CUSTOMERS_OF_A_KIND = 25
# As if each kind had been seen doing so many acts more, at everyone's hours.
ACTS_OF_EVERYONE = 12.0


def fit_kinds(
    acts: Floats, segments: pl.Series, shrinkage: Shrinkage, *, most: int, seed: int
) -> Kinds:
    """At most `most` kinds that make `acts` [n, 2, 24] likely, and how common they are where.

    Nobody who did nothing says anything. Of one kind only, everybody has everyone's hours.
    """
    active = acts.sum(axis=(1, 2)) > 0
    acts, segments = acts[active], segments.filter(pl.Series(active))
    count = max(1, min(most, len(acts) // CUSTOMERS_OF_A_KIND))
    everyone = _of_the_day(smoothed(_votes(acts), shrinkage.smoothing_hours).sum(axis=0), 1 / HOURS)
    kinds = Kinds((EVERYONE,), everyone[None], np.ones((1, 1)), np.array([float(len(acts))]))
    nowhere = np.zeros(len(acts), dtype=np.int64)
    likely = np.random.default_rng(seed).dirichlet(np.full(count, 0.3), len(acts))
    for _ in range(ROUNDS if count > 1 else 1):
        done = (likely[:, :, None] * acts.reshape(len(acts), 1, -1)).sum(axis=0)
        spread = smoothed(done.reshape(-1, KINDS_OF_DAY, HOURS), shrinkage.smoothing_hours)
        kinds = Kinds(
            kinds.segments,
            _of_the_day(spread, ACTS_OF_EVERYONE * everyone),
            (likely.sum(axis=0, keepdims=True) + 1) / (len(acts) + count),
            kinds.heard,
        )
        likely = likely_kinds(acts, kinds, nowhere, shrinkage.telling)
    return common_in(acts, segments, kinds, shrinkage, shrinkage.segment_weight)


def common_in(
    acts: Floats, segments: pl.Series, kinds: Kinds, shrinkage: Shrinkage, segment_weight: float
) -> Kinds:
    """How common the kinds are in each segment, shrunk to everyone by `segment_weight` customers.

    A customer counts once however much they do: the next mail goes to a customer, not to an act.
    """
    active = acts.sum(axis=(1, 2)) > 0
    acts, segments = acts[active], segments.filter(pl.Series(active))
    everyone = kinds.common[:1]
    alike = Kinds((EVERYONE,), kinds.shares, everyone, kinds.heard[:1])
    nowhere = np.zeros(len(acts), dtype=np.int64)
    likely = likely_kinds(acts, alike, nowhere, shrinkage.telling)
    names = segments.drop_nulls().unique().sort().to_list()
    members = [(segments == name).fill_null(False).to_numpy() for name in names]
    heard = np.array([float(of.sum()) for of in members])
    counted = np.array([likely[of].sum(axis=0) for of in members]).reshape(-1, len(everyone[0]))
    whole = (heard + segment_weight)[:, None]
    return Kinds(
        segments=(EVERYONE, *names),
        shares=kinds.shares,
        common=np.concatenate([everyone, (counted + segment_weight * everyone) / whole]),
        heard=np.concatenate([kinds.heard[:1], heard]),
    )


def _votes(acts: Floats) -> Floats:
    votes: Floats = acts / (acts.sum(axis=-1, keepdims=True) + 1)
    return votes


def _of_the_day(acts: Floats, more: Floats | float) -> Floats:
    """Shares of the day of `acts` [..., 24] and `more`, so that no share is ever zero."""
    whole = acts + more
    shares: Floats = whole / whole.sum(axis=-1, keepdims=True)
    return shares
