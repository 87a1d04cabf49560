"""What mailing brings at all, from customers held out; and who is worth mailing (Qini, AUUC)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from training.evaluable import NotEvaluable
from training.evaluate import Floats, Interval
from training.offpolicy.refusal import refuse
from training.settings import ResamplingSettings

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

# Up to this skewness of the difference itself (the customers' own, over the root of how many were
# held out), 95 % intervals hold the truth in 93.5 to 96.5 % of draws: see docs/benchmarks.md.
MOST_SKEWNESS = 0.5
# With less skewness than this, its correction is nothing but rounding.
NO_SKEWNESS = 1e-9
FEWEST = 20


@dataclass(frozen=True)
class _Arm:
    """Mean, variance and third central moment of `count` customers."""

    count: int
    mean: float
    variance: float
    third: float

    @staticmethod
    def of(values: Floats) -> _Arm:
        from_mean = values - values.mean()
        variance = float(from_mean @ from_mean) / (len(values) - 1)
        return _Arm(len(values), float(values.mean()), variance, float((from_mean**3).mean()))


def holdout_uplift(
    outcome: Floats,
    treated: Bools,
    customers: Ints,
    *,
    before: Floats | None,
    level: float,
) -> Interval | NotEvaluable:
    """Mean outcome per customer, `treated` less held out, as randomised.

    All arrays are [rows]; a customer's rows are added up, and nobody may be in both arms
    (ValueError). Who did nothing needs a row of 0: only so do means count everybody.

    `before` is the same kind of outcome before the experiment began (0 where there was none). What
    it foretells is taken out of the outcome (CUPED: Deng, Xu, Kohavi and Walker 2013) with one
    slope for both arms. A slope for each, as Lin (2013) has it, is that of a few dozen customers in
    a small holdout: such intervals held the truth in 77 to 93 % of draws.

    Variances are each arm's own (Welch). Money is skewed, so that a holdout without its big
    spenders seems both poor and sure of it; the interval is that of Hall's monotone transformation
    (1992) for two samples (Zhou and Dinh 2005), with one skewness for both arms, for the same
    reason as one slope. NotEvaluable where the holdout is too small even for that.
    """
    outcome, treated, before = _by_customer(outcome, treated, customers, before)
    fewest = min(int(treated.sum()), int((~treated).sum()))
    if fewest < FEWEST:
        return NotEvaluable(
            f"the smaller group has {fewest} customers, at least {FEWEST} are needed"
        )
    if before is not None:
        outcome = _without_what_was_foretold(outcome, treated, before)
    mailed, held_out = _Arm.of(outcome[treated]), _Arm.of(outcome[~treated])
    if min(mailed.variance, held_out.variance) <= 0:
        same = "held out" if held_out.variance <= 0 else "mailed"
        return NotEvaluable(
            f"all customers {same} have the same outcome, so that nothing says how sure it is; "
            "wait for more customers or more weeks"
        )
    skewness = _common_skewness(mailed, held_out)
    if (needed := _customers_needed(skewness, mailed, held_out)) > len(outcome):
        return NotEvaluable(
            f"outcomes are too uneven (skewness {skewness:.1f}) for {fewest:,} customers in the "
            f"smaller group: it takes {needed:,} customers in all instead of {len(outcome):,}, "
            "or a larger holdout"
        )
    return _difference(mailed, held_out, skewness, level)


def uplift_ranking(
    outcome: Floats,
    scores: Floats,
    treated: Bools,
    customers: Ints,
    *,
    settings: ResamplingSettings,
) -> dict[str, Interval] | NotEvaluable:
    """Qini coefficient and AUUC of mailing the highest `scores` first, by scikit-uplift.

    Arrays are [rows], `outcome` is 0 or 1 (ValueError). Both are normalised: 0 is no better than
    drawing lots, 1 is an oracle that knows each answer. Customers are resampled within their arm.
    """
    if not np.isin(outcome, (0.0, 1.0)).all():
        raise ValueError("the outcome of a ranking by uplift is 0 or 1: bought, visited, or not")
    groups, whose = np.unique(customers, return_inverse=True)
    arm = _arm_of_each(treated, whose, len(groups))
    arms = [np.flatnonzero(arm), np.flatnonzero(~arm)]
    positives = [np.bincount(whose, weights=outcome)[arm].sum() for arm in arms]
    if min(len(arm) for arm in arms) < FEWEST or not min(positives):
        return NotEvaluable(
            f"{len(arms[0]):,} customers were mailed and {len(arms[1]):,} held out, with "
            f"{positives[0]:,.0f} and {positives[1]:,.0f} answers: each group needs {FEWEST} "
            "customers, and one that answered"
        )
    metrics = _scikit_uplift()
    asked = outcome.astype(np.int64), scores, treated.astype(np.int64)
    drawn: dict[str, list[float]] = {name: [] for name in metrics}
    random = np.random.default_rng(settings.seed)
    for _ in range(settings.replicates):
        again = np.concatenate([random.choice(arm, len(arm)) for arm in arms])
        times = np.bincount(again, minlength=len(groups))
        rows = np.repeat(np.arange(len(whose)), times[whose])
        for name, metric in metrics.items():
            drawn[name].append(metric(*(array[rows] for array in asked)))
    tail = (1 - settings.level) / 2
    found = {}
    for name, metric in metrics.items():
        estimate = metric(*asked)
        low, high = np.nanquantile(drawn[name], [tail, 1 - tail])
        found[name] = Interval(float(2 * estimate - high), estimate, float(2 * estimate - low))
    return found


def _by_customer(
    outcome: Floats, treated: Bools, customers: Ints, before: Floats | None
) -> tuple[Floats, Bools, Floats | None]:
    """One number per customer, in the order of `customers`' values; DataError where one is none."""
    for what, numbers in (("an outcome", outcome), ("what came `before`", before)):
        if numbers is not None:
            refuse(
                ~np.isfinite(numbers),
                f"{what} is a number",
                "write 0 where a customer did nothing, and leave out what is not yet known",
            )
    groups, whose = np.unique(customers, return_inverse=True)
    return (
        np.bincount(whose, weights=outcome).astype(np.float64),
        _arm_of_each(treated, whose, len(groups)),
        None if before is None else np.bincount(whose, weights=before).astype(np.float64),
    )


def _arm_of_each(treated: Bools, whose: Ints, count: int) -> Bools:
    share = np.bincount(whose, weights=treated, minlength=count) / np.bincount(whose)
    if (both := int(((share > 0) & (share < 1)).sum())) > 0:
        raise ValueError(f"{both} customers are both treated and held out; a holdout is for good")
    arm: Bools = share > 0.5
    return arm


def _without_what_was_foretold(outcome: Floats, treated: Bools, before: Floats) -> Floats:
    """The outcome less what the past explains of it; means over both arms stay as they are."""
    within, past = outcome.copy(), before.copy()
    for arm in (treated, ~treated):
        within[arm] -= outcome[arm].mean()
        past[arm] -= before[arm].mean()
    spread = float(past @ past)
    if spread == 0:
        return outcome
    foretold: Floats = (before - before.mean()) * float(past @ within) / spread
    return outcome - foretold


def _common_skewness(one: _Arm, other: _Arm) -> float:
    """That of the customers around the mean of their own arm."""
    count = one.count + other.count
    third = (one.count * one.third + other.count * other.third) / count
    variance = (one.count * one.variance + other.count * other.variance) / count
    return float(third / variance**1.5)


def _customers_needed(skewness: float, one: _Arm, other: _Arm) -> int:
    """How many customers, in arms of the same shares, make the skewness of the difference small.

    As if both arms had the same variance: that of a small holdout is not known well enough, and
    where it came out too small by chance, its interval would pass most easily.
    """
    third = abs(1 / one.count**2 - 1 / other.count**2)
    of_difference = abs(skewness) * third / (1 / one.count + 1 / other.count) ** 1.5
    times = float(of_difference / MOST_SKEWNESS) ** 2
    return math.ceil((one.count + other.count) * times)


def _difference(one: _Arm, other: _Arm, skewness: float, level: float) -> Interval:
    """`one`'s mean less `other`'s, by a Welch t that is free of skewness."""
    parts = [arm.variance / arm.count for arm in (one, other)]
    error = math.sqrt(sum(parts))
    degrees = sum(parts) ** 2 / sum(
        part**2 / (arm.count - 1) for part, arm in zip(parts, (one, other), strict=True)
    )
    thirds = [skewness * arm.variance**1.5 / arm.count**2 for arm in (one, other)]
    of_difference = (thirds[0] - thirds[1]) / error**3
    reach = float(student.ppf((1 + level) / 2, degrees))
    difference = one.mean - other.mean
    low, high = (
        difference - error * _with_skewness(sign * reach, of_difference) for sign in (1, -1)
    )
    return Interval(low, difference, high)


def _with_skewness(quantile: float, skewness: float) -> float:
    """The quantile of a studentised mean of that skewness (inverse of Hall's g1)."""
    if abs(skewness) < NO_SKEWNESS:
        return quantile
    cubed = 1 + skewness * (quantile - skewness / 6)
    return float((np.cbrt(cubed) - 1) * 3 / skewness)


def _scikit_uplift() -> dict[str, Callable[..., float]]:
    """Imported only where it is used: it brings pandas and half a second with it."""
    from sklift.metrics import qini_auc_score, uplift_auc_score

    def quietly(metric: Callable[..., float]) -> Callable[..., float]:
        def asked(*arrays: NDArray[np.generic]) -> float:
            with warnings.catch_warnings():
                # It calls what scikit-learn 1.10 will no longer have.
                warnings.filterwarnings("ignore", ".*stable_cumsum", FutureWarning)
                return float(metric(*arrays))

        return asked

    return {"qini": quietly(qini_auc_score), "auuc": quietly(uplift_auc_score)}
