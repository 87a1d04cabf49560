"""How a bandit deals its customers: the better an arm has done, the larger its share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import beta, norm

from training.evaluate import Floats
from training.experiment import Units

# Where the chance to be the best is measured: at so many quantiles of each arm.
QUANTILES = 400
DIGITS = 4  # of a share, so that a night that taught nothing changes nothing


def learnt_shares(units: Units, arms: Sequence[str], least_share: float) -> dict[str, float]:
    """The share of each arm: its chance to be the best, and never less than `least_share`.

    Thompson sampling (1933) draws each arm from its posterior and takes the best of the draws, so
    that an arm is taken with just this chance. As a share it can be known, told in receipts and
    dealt by a hash. Yes or no has a Beta posterior with a flat prior; money the normal one of a
    mean, as wide as all customers together say (of an arm with nobody, as wide as one customer).
    Shares sum to 1.
    """
    best = _chances_to_be_best([_posterior(units, place) for place in range(len(arms))])
    shares = np.round(least_share + (1 - least_share * len(arms)) * best, DIGITS)
    largest = int(np.argmax(shares))
    shares[largest] = round(1 - float(np.delete(shares, largest).sum()), DIGITS)
    return dict(zip(arms, shares.tolist(), strict=True))


def _posterior(units: Units, place: int) -> beta | norm:
    own = units.outcome[units.arm == place]
    if np.isin(units.outcome, (0.0, 1.0)).all():
        return beta(1 + own.sum(), 1 + len(own) - own.sum())
    return norm(
        own.mean() if len(own) else units.outcome.mean(),
        units.outcome.std() / np.sqrt(max(1, len(own))),
    )


def _chances_to_be_best(posteriors: Sequence[beta | norm]) -> Floats:
    """Of each the chance that its draw is the highest: no luck takes part."""
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    chances = np.array(
        [
            np.prod(
                [other.cdf(one.ppf(levels)) for other in posteriors if other is not one], axis=0
            ).mean()
            for one in posteriors
        ]
    )
    normed: Floats = chances / chances.sum()
    return normed
