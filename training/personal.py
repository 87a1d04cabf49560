"""Who gets what by what it changes for them: learnt from decisions that chance made, if enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluable import NotEvaluable
from training.evaluate import Floats
from training.offpolicy.cross_fit import Learn, cross_fitted
from training.offpolicy.differences import dr_difference
from training.offpolicy.estimators import Estimate, dr
from training.offpolicy.logged import Logged, Target, always, choosing
from training.settings import OffPolicySettings, ResponseSettings


@dataclass(frozen=True)
class Personal:
    """What is served, and what may be claimed of it.

    `served` is the personal policy only if it is surely better than each fixed arm; else the best
    of these, so that it is never below it. `claim` is the reward per decision of what is served,
    doubly robust and cross-fitted; `gains` those of the personal policy over each fixed arm;
    `promised` what its own model says that it would bring, which is too much (winner's curse).
    """

    served: Target
    is_personal: bool
    claim: Estimate | NotEvaluable
    gains: dict[str, Estimate | NotEvaluable]
    promised: float


def too_few(randomised: int, days: float, settings: ResponseSettings) -> NotEvaluable | None:
    """Why nothing is learnt person by person from so many `randomised` decisions of so many days.

    None where they suffice.
    """
    needed = settings.randomised_needed
    if randomised >= needed:
        return None
    if randomised == 0 or days <= 0:
        wait = "chance has made none yet: raise explore_emails under [policy] in onje.toml"
    else:
        more = (needed - randomised) * days / randomised
        wait = f"at the present rate it takes {more:,.0f} more days, fewer with more explore_emails"
    return NotEvaluable(
        f"what a mail changes is learnt person by person from {needed:,} decisions that chance "
        f"made (randomised_needed); there are {randomised:,}; {wait}"
    )


def learn_personal(
    log: Logged,
    features: Floats,
    arms: Sequence[str],
    *,
    otherwise: int,
    learn: Learn,
    folds: int,
    seed: int,
    settings: OffPolicySettings,
) -> Personal:
    """The best policy that the log of a randomised experiment allows to be believed in.

    `features` [rows, anything] describe the customer. Each row's arm is chosen by a model of the
    other customers. Arm `otherwise` (to wait) stands in where a fixed arm is not possible.
    """
    spread = np.broadcast_to(features[:, None, :], (log.rows, log.arms, features.shape[1]))
    predicted = cross_fitted(log, spread, learn=learn, folds=folds, seed=seed)
    wanted = np.where(log.possible, predicted, -np.inf).argmax(axis=1).astype(np.int64)
    personal = choosing("personal", wanted, arms=log.arms)
    fixed = [
        always(f"{name} for everybody", log, arm=number, otherwise=otherwise)
        for number, name in enumerate(arms)
    ]
    gains = {
        one.name: dr_difference(log, personal, one, predicted, settings=settings) for one in fixed
    }
    values = [dr(log, one, predicted, settings=settings) for one in fixed]
    known = [
        (value.estimate, number)
        for number, value in enumerate(values)
        if isinstance(value, Estimate)
    ]
    best = fixed[max(known)[1]] if known else fixed[otherwise]
    is_better = all(isinstance(gain, Estimate) and gain.low > 0 for gain in gains.values())
    served = personal if is_better else best
    claim = dr(log, served, predicted, settings=settings)
    return Personal(served, is_better, claim, gains, float(predicted.max(axis=1).mean()))
