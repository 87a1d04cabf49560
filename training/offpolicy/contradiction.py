"""Whether the chances that a log states can be those with which it was drawn."""

from __future__ import annotations

import math

import numpy as np

from training.evaluable import NotEvaluable
from training.evaluate import Floats
from training.offpolicy.logged import Bools, Logged, Target

# How often an honest log is refused, at most, per policy and question. A gate asks two for each
# arm and for the policy in force: with up to 49 arms it refuses at most one honest log in 1,000.
MISTAKES = 1e-5
# A log may write its chances with two digits: that shifts no estimate by more than this share.
WRITTEN = 0.01


def contradicted(log: Logged, target: Target, weight: Floats, rows: Bools) -> NotEvaluable | None:
    """A refusal where the weights [rows] of a policy are not 1 on average over some `rows` [rows].

    Whatever a policy does, so long as the log could do it too, the mean of chance / propensity is 1
    but for luck. `rows` must not depend on what was drawn. The luck is bounded by Bernstein's
    inequality (Boucheron, Lugosi and Massart 2013, 2.10), not by an error found from the weights:
    where a rare choice of great weight happens not to be in the log, such an error is too small (it
    refused 3.6 % of honest logs in an example). A weight is at most the greatest `most` that this
    log could give, its square at most `most` in the mean; all rows of a customer count as one draw.
    """
    _, whose = np.unique(log.customer[rows], return_inverse=True)
    each = np.bincount(whose)
    count, most = int(each.sum()), 1 / float(log.propensity.min())
    surprise = math.log(2 / MISTAKES)
    jump = most * float(each.max()) * surprise / 3
    spread = 2 * most * float((each.astype(np.float64) ** 2).sum()) * surprise
    luck = (jump + math.sqrt(jump**2 + spread)) / count
    mean = float(weight[rows].mean())
    if abs(mean - 1) <= WRITTEN + luck:
        return None
    return NotEvaluable(
        f"the propensities of this log cannot be true: the weights of {target.name!r}, its chance "
        f"over the propensity, are {mean:.2f} on average instead of 1, chance explains at most "
        f"{luck:.2f} of that; log the very chance with which the chosen arm was drawn, after all "
        "rules and exploration, and as `possible` only arms that had a chance"
    )
