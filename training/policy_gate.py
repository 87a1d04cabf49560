"""Whether a policy may replace the one in force, judged on a log that neither of them chose."""

from __future__ import annotations

from collections.abc import Sequence

from training.evaluable import NotEvaluable
from training.gate import Verdict
from training.offpolicy.differences import difference
from training.offpolicy.estimators import Estimate
from training.offpolicy.logged import Logged, Target, always
from training.settings import OffPolicySettings


def judge_policies(
    log: Logged,
    challenger: Target,
    in_force: Target,
    *,
    arms: Sequence[str],
    otherwise: int,
    settings: OffPolicySettings,
) -> Verdict:
    """Promote only a challenger that is surely better than the policy in force and any fixed arm.

    `arms` names the columns of the log; a fixed arm is chosen wherever it is possible, else the arm
    `otherwise` (to wait). A challenger must not have learnt from the customers of this log.

    The challenger has to beat *each* fixed arm by an interval above zero, so the best of them need
    not be found first and no luck of the draw can choose it: a challenger that is no better than
    one of them is promoted only if that one comparison errs, which happens in half of 1 - level,
    however many arms there are (intersection-union test, Berger 1982). What the log cannot tell
    counts as not beaten.
    """
    opponents = {f"the policy in force, {in_force.name!r}": in_force}
    for number, arm in enumerate(arms):
        # An arm that was possible nowhere would be `otherwise` under another name.
        if log.possible[:, number].any():
            fixed = always(f"{arm} for everybody", log, arm=number, otherwise=otherwise)
            opponents[repr(fixed.name)] = fixed
    gains = {
        name: difference(log, challenger, opponent, settings=settings)
        for name, opponent in opponents.items()
    }
    return Verdict(
        promote=all(isinstance(gain, Estimate) and gain.low > 0 for gain in gains.values()),
        reasons=tuple(_sentence(name, gain) for name, gain in gains.items()),
    )


def _sentence(opponent: str, gain: Estimate | NotEvaluable) -> str:
    if isinstance(gain, NotEvaluable):
        return f"cannot be compared with {opponent}: {gain}"
    if gain.low > 0:
        return f"better than {opponent}: gain per decision {gain}"
    if gain.high < 0:
        return f"worse than {opponent}: gain per decision {gain}"
    return f"not surely better than {opponent}: gain per decision {gain}"
