"""Which of two policies is better, from the rows where they would not do the same."""

from __future__ import annotations

import numpy as np

from training.evaluable import NotEvaluable
from training.evaluate import Floats
from training.offpolicy.contradiction import contradicted
from training.offpolicy.estimators import Estimate, check_predicted, estimate
from training.offpolicy.logged import Bools, Logged, Target
from training.offpolicy.support import support, too_thin, unheard_of, weights
from training.settings import OffPolicySettings


def difference(
    log: Logged, one: Target, other: Target, *, settings: OffPolicySettings
) -> Estimate | NotEvaluable:
    """The reward per decision of `one` less that of `other`, by SNIPS on the rows of disagreement.

    Where both choose alike they gain alike, and what happened there is only noise: it is left out,
    and the difference found where they disagree is spread over all decisions. Both values come
    from the same rows and customers, so the interval is a paired one.
    """
    prepared = _prepared(log, one, other, settings=settings)
    if isinstance(prepared, NotEvaluable):
        return prepared
    differ, ours, theirs = prepared
    if not ours.sum() or not theirs.sum():
        silent = one.name if not ours.sum() else other.name
        return NotEvaluable(f"no row of the log speaks for {silent!r} where the two disagree")
    share = float(differ.mean())
    our_value = float((ours * log.reward).sum() / ours.sum())
    their_value = float((theirs * log.reward).sum() / theirs.sum())
    gain = our_value - their_value
    # The share of disagreement is itself seen on these customers only: last term.
    influence = (
        share * ours * (log.reward - our_value) / ours.sum()
        - share * theirs * (log.reward - their_value) / theirs.sum()
        + gain * (differ - share) / log.rows
    )
    found = support((ours - theirs)[differ], log.customer[differ])
    return estimate(share * gain, influence, log, found=found, settings=settings)


def dr_difference(
    log: Logged, one: Target, other: Target, predicted: Floats, *, settings: OffPolicySettings
) -> Estimate | NotEvaluable:
    """The same by the doubly robust estimator; `predicted` [rows, arms] as in `dr`.

    Rows where both choose alike add nothing by themselves.
    """
    prepared = _prepared(log, one, other, settings=settings)
    if isinstance(prepared, NotEvaluable):
        return prepared
    differ, ours, theirs = prepared
    check_predicted(log, predicted)
    missed = log.reward - log.of_chosen(predicted)
    expected = np.einsum("ra,ra->r", one.chances - other.chances, predicted)
    gains = expected + (ours - theirs) * missed
    value = float(gains.mean())
    influence = (gains - value) / log.rows
    found = support((ours - theirs)[differ], log.customer[differ])
    return estimate(value, influence, log, found=found, settings=settings)


def _prepared(
    log: Logged, one: Target, other: Target, *, settings: OffPolicySettings
) -> tuple[Bools, Floats, Floats] | NotEvaluable:
    """Where the two disagree [rows], and the weights of both there [rows], zero elsewhere."""
    refusal = unheard_of(log, one) or unheard_of(log, other)
    if refusal is not None:
        return refusal
    differ: Bools = (one.chances != other.chances).any(axis=1)
    if not differ.any():
        return NotEvaluable(f"{one.name!r} and {other.name!r} do the same in every row")
    ours = np.where(differ, weights(log, one), 0.0)
    theirs = np.where(differ, weights(log, other), 0.0)
    about = f"where {one.name!r} and {other.name!r} disagree"
    found = support((ours - theirs)[differ], log.customer[differ])
    refusal = (
        too_thin(found, about=about, settings=settings)
        or contradicted(log, one, ours, differ)
        or contradicted(log, other, theirs, differ)
    )
    return refusal or (differ, ours, theirs)
