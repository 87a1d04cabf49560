"""What came of an experiment, however often one looks: effects, mismatches, who is still missing.

The unit is the customer, in the order in which they came into the experiment; each counts once,
with what they did within the same number of days, and only once these days are over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import norm

from training.evaluable import NotEvaluable
from training.evaluate import Floats, Interval
from training.power import Design, recipients_needed
from training.settings import ComparisonSettings

Ints = NDArray[np.int64]

# How sure the prior of the mismatch test is that arms are dealt as said, in customers: so many as
# it takes for a mismatch of some percent to be the likeliest.
AS_DEALT = 100.0
ROUNDING = 1e-6  # of a count that is the square of a sum over a sum of squares


@dataclass(frozen=True)
class Units:
    """One entry per customer, in the order of their first exposure; all arrays [customers].

    `arm`: place among the arms. `outcome`: 0 or 1, or money. `shares` [customers, arms]: the chance
    of each arm when the customer was dealt to one (each row sums to 1).
    """

    arm: Ints
    outcome: Floats
    shares: Floats

    def __len__(self) -> int:
        return len(self.arm)

    def until(self, count: int) -> Units:
        """The first so many customers: what somebody saw who looked earlier."""
        return Units(self.arm[:count], self.outcome[:count], self.shares[:count])


@dataclass(frozen=True)
class ArmResult:
    """One arm; `effect` is its mean less that of the first arm, None for the first itself."""

    arm: str
    customers: int
    answered: int  # whose outcome is not 0
    mean: float | None
    effect: Interval | NotEvaluable | None


def results(units: Units, arms: Sequence[str], settings: ComparisonSettings) -> list[ArmResult]:
    """Every arm in the given order, each after the first with its confidence sequence."""
    found = []
    for place, arm in enumerate(arms):
        own = units.outcome[units.arm == place]
        found.append(
            ArmResult(
                arm=arm,
                customers=len(own),
                answered=int(np.count_nonzero(own)),
                mean=float(own.mean()) if len(own) else None,
                effect=effect(units, place, settings, comparisons=len(arms) - 1) if place else None,
            )
        )
    return found


def effect(
    units: Units, place: int, settings: ComparisonSettings, *, comparisons: int
) -> Interval | NotEvaluable:
    """The mean outcome of the arm at `place` less that of the first, with an interval for good.

    Each customer scores what inverse propensity weighting makes of them, with the means of those
    *before* them taken out (AIPW without covariates), so that scores are a martingale around the
    effect also where the shares of arms follow what was seen. Their mean gets the asymptotic
    confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021, "Time-uniform
    central limit theory and asymptotic confidence sequences", theorem 2.2 with eq. 10 for the rho
    that is tightest at `tightest_at` customers): the chance that it *ever* fails to hold the truth
    is 1 - level, shared by all `comparisons`. Asymptotic: before each arm has `answers_needed`
    answers and as many customers without one, NotEvaluable.
    """
    told = effects_over_time(
        units, place, settings, comparisons=comparisons, looks=np.array([len(units)])
    )
    if told:
        return told[0][1]
    by_arm = [units.outcome[units.arm == which] for which in (0, place)]
    found = " and ".join(f"{np.count_nonzero(own):,} of {len(own):,}" for own in by_arm)
    return NotEvaluable(
        f"{found} customers answered; {settings.answers_needed} in each arm who did, and as many "
        "who did not, are needed"
    )


def effects_over_time(
    units: Units, place: int, settings: ComparisonSettings, *, comparisons: int, looks: Ints
) -> list[tuple[int, Interval]]:
    """What `effect` said when so many customers (`looks`, rising, from 1) were in; if it did."""
    if not len(units):
        return []
    scores = _scores(units, place) - _scores(units, 0)
    mean = np.cumsum(scores)[looks - 1] / looks
    spread = np.sqrt(np.maximum(np.cumsum(scores**2)[looks - 1] / looks - mean**2, 0.0))
    reach = _reach(looks, (1 - settings.level) / comparisons, settings.tightest_at)
    speaks = np.minimum(_fewest(units, 0), _fewest(units, place))[looks - 1]
    return [
        (int(count), Interval(float(middle - error), float(middle), float(middle + error)))
        for count, middle, error, fewest in zip(looks, mean, spread * reach, speaks, strict=True)
        if fewest >= settings.answers_needed - ROUNDING
    ]


def mismatch(units: Units, settings: ComparisonSettings) -> str | None:
    """What is wrong with the numbers of customers by arm; None while nothing is.

    The sequential test of Lindon and Malek (2022, "Anytime-valid inference for multinomial count
    data"): the Bayes factor of a Dirichlet prior around the shares as dealt against these shares
    is a martingale under them, so that it passes 1 / `mismatch_level` with at most that chance,
    however often one looks. Where a bandit moved the shares, the factors of each run of the same
    shares multiply.
    """
    evidence = 0.0
    for start, end in _runs(units.shares):
        shares = units.shares[start]
        counts = np.bincount(units.arm[start:end], minlength=len(shares))
        evidence += _log_bayes_factor(counts, shares)
    if evidence < -math.log(settings.mismatch_level):
        return None
    counts = np.bincount(units.arm, minlength=units.shares.shape[1])
    expected = units.shares.sum(axis=0)
    told = ", ".join(
        f"{count:,} for {want:,.0f}" for count, want in zip(counts, expected, strict=True)
    )
    return f"arms hold {told} customers; something deals, drops or counts them wrongly"


def customers_missing(
    units: Units, arms: int, metric: str, settings: ComparisonSettings
) -> int | None:
    """About how many more customers find a `lift` of the first arm's mean; None: nobody knows yet.

    The planned number of a test with one look at the end, so rather too few where one stops early
    for nothing; for one comparison of two arms, times the arms there are.
    """
    own = units.outcome[units.arm == 0]
    if np.count_nonzero(own) < settings.answers_needed:
        return None
    if metric == "margin":
        of_both = _of_money(own, settings)
    else:
        base = float(own.mean())
        other = base * (1 + settings.lift)
        if other >= 1:
            return None
        design = Design(treated_share=0.5, level=settings.level, power=settings.power)
        of_both = recipients_needed(base, other, design=design)
    return max(0, math.ceil(of_both / 2 * arms) - len(units))


def _of_money(own: Floats, settings: ComparisonSettings) -> int:
    """Both arms together, by the usual formula of two means of the same spread."""
    sure = norm.ppf((1 + settings.level) / 2) + norm.ppf(settings.power)
    difference = settings.lift * float(own.mean())
    return math.ceil((2 * sure * float(own.std()) / difference) ** 2) if difference > 0 else 0


def _scores(units: Units, place: int) -> Floats:
    """Of each customer an unbiased guess of the outcome that the arm would have brought."""
    is_here = units.arm == place
    here = np.where(is_here, units.outcome, 0.0)
    seen = np.cumsum(is_here) - is_here
    before = np.divide(np.cumsum(here) - here, seen, out=np.zeros(len(units)), where=seen > 0)
    residual = np.where(is_here, (units.outcome - before) / units.shares[:, place], 0.0)
    scores: Floats = before + residual
    return scores


def _fewest(units: Units, place: int) -> Floats:
    """Of the arm's customers so far: who answered or who did not, whichever are fewer.

    Counted as they weigh (Kish): of an arm that a bandit has nearly given up, a few customers speak
    for many, and are no more than a few.
    """
    weights = np.where(units.arm == place, 1 / units.shares[:, place], 0.0)
    answered = units.outcome != 0
    fewest: Floats = np.minimum(*(_kish(weights * which) for which in (answered, ~answered)))
    return fewest


def _kish(weights: Floats) -> Floats:
    squared = np.cumsum(weights**2)
    return np.divide(
        np.cumsum(weights) ** 2, squared, out=np.zeros(len(weights)), where=squared > 0
    )


def _reach(count: Ints, alpha: float, tightest_at: int) -> Floats:
    """Half of the interval's width at so many customers, in standard deviations of one score."""
    twice = -2 * math.log(alpha)
    rho2 = (twice + math.log(twice) + 1) / tightest_at
    spread = count * rho2 + 1
    reach: Floats = np.sqrt(2 * spread / (count**2 * rho2) * np.log(np.sqrt(spread) / alpha))
    return reach


def _runs(shares: Floats) -> list[tuple[int, int]]:
    """From where to where the shares stay as they are."""
    if not len(shares):
        return []
    changes = np.flatnonzero((shares[1:] != shares[:-1]).any(axis=1)) + 1
    edges = [0, *changes.tolist(), len(shares)]
    return list(zip(edges[:-1], edges[1:], strict=True))


def _log_bayes_factor(counts: Ints, shares: Floats) -> float:
    prior = AS_DEALT * shares
    marginal = gammaln(prior.sum()) - gammaln(prior.sum() + counts.sum())
    marginal += (gammaln(prior + counts) - gammaln(prior)).sum()
    return float(marginal - (counts * np.log(shares)).sum())
