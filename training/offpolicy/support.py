"""How much a log has to say about a policy, and when that is too little for any number."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from training.evaluable import NotEvaluable
from training.evaluate import Floats
from training.offpolicy.logged import Bools, Ints, Logged, Target
from training.offpolicy.refusal import counted
from training.settings import OffPolicySettings


@dataclass(frozen=True)
class Support:
    """How many rows and customers speak for a policy, and how evenly.

    `ess` is Kish's effective sample size, (sum w)^2 / sum w^2: as many rows of equal weight would
    say as much. `customers` is the same of the weights summed by customer, never more than `ess`:
    the rows of one customer are alike, so that intervals are only as good as customers are many.
    `largest_share` is the part of all weight that lies on one customer.
    """

    ess: float
    customers: float
    largest_share: float


def weights(log: Logged, target: Target) -> Floats:
    """How much more likely the target makes the very choice that was logged [rows]."""
    times: Floats = log.of_chosen(target.chances) / log.propensity
    return times


def support(weight: Floats, customer: Ints) -> Support:
    """Of weights [rows] of one sign; of the signed weights of a difference, their sizes count.

    `customer` [rows] says whose the rows are.

    For the difference of two policies that never choose alike, ESS is 4 / (1 / ESS of one + 1 / ESS
    of the other): the size of an evenly split experiment that would be as exact.
    """
    size = np.abs(weight)
    total = float(size.sum())
    if total == 0:
        return Support(ess=0.0, customers=0.0, largest_share=1.0)
    _, whose = np.unique(customer, return_inverse=True)
    theirs = np.bincount(whose, weights=size).astype(np.float64)
    return Support(
        ess=_kish(size),
        customers=_kish(theirs),
        largest_share=float(theirs.max()) / total,
    )


def _kish(size: Floats) -> float:
    return float(size.sum()) ** 2 / float((size**2).sum())


def unheard_of(log: Logged, target: Target) -> NotEvaluable | None:
    """A refusal where the target may choose what the log never could: nothing can be known then.

    ValueError where the target is of other rows or arms than the log.
    """
    log.fits(f"the chances of {target.name!r}", target.chances)
    beyond = (target.chances > 0) & ~log.possible
    if not beyond.any():
        return None
    rows: Bools = np.asarray(beyond.any(axis=1))
    arms = ", ".join(map(str, np.flatnonzero(beyond.any(axis=0))))
    return NotEvaluable(
        f"{target.name!r} may choose what the log never could in {counted(rows)}, "
        f"arms {arms}; let exploration draw among all that is possible"
    )


def too_thin(found: Support, *, about: str, settings: OffPolicySettings) -> NotEvaluable | None:
    """A refusal where too few rows or customers speak, or a single customer speaks too loudly."""
    if found.ess < settings.least_ess:
        return NotEvaluable(
            f"the log says as much about {about} as {found.ess:,.0f} rows of equal weight would, "
            f"{settings.least_ess:,} are needed; log for longer, or explore more"
        )
    if found.largest_share > settings.most_share:
        return NotEvaluable(
            f"one customer carries {found.largest_share:.0%} of the weight about {about}, more "
            f"than {settings.most_share:.0%}; explore more, so that no choice is that rare, and "
            "log more customers"
        )
    if found.customers < settings.least_customers:
        return NotEvaluable(
            f"the log says as much about {about} as {math.floor(found.customers):,} customers of "
            f"equal weight would, {settings.least_customers:,} are needed; log more customers, "
            "more rows of the same ones do not help"
        )
    return None
