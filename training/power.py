"""How many recipients a comparison of two rates needs, and what it can see with those it has.

Two-sided normal test of two proportions in arms of unequal share: Fleiss, Levin, Paik (2003),
Statistical Methods for Rates and Proportions, 3rd ed., sections 4.2 and 4.4, without the
continuity correction. The hypothesis is tested with the pooled rate, and power is that of the true
rates, so that figures lie a few percent above those that take the base rate for both arms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.optimize import brentq
from scipy.stats import norm

# Below this a difference is nothing that a merchant could mean.
LEAST_DIFFERENCE = 1e-9


@dataclass(frozen=True)
class Design:
    """How a test is run: `treated_share` of all recipients in one arm, the others in the other.

    `level` is that of the interval (0.95: one in twenty tests of nothing finds something), `power`
    the chance to find what is there. ValueError outside of the ranges.
    """

    treated_share: float
    level: float
    power: float

    def __post_init__(self) -> None:
        _refuse_outside("treated_share", self.treated_share, above=0.0, below=1.0)
        _refuse_outside("level", self.level, above=0.5, below=1.0)
        _refuse_outside("power", self.power, above=0.5, below=1.0)

    @property
    def arms(self) -> int:
        """The smallest number of recipients that puts at least one into each arm."""
        return math.ceil(1 / min(self.treated_share, 1 - self.treated_share))


def recipients_needed(base_rate: float, other_rate: float, *, design: Design) -> int:
    """How many recipients, both arms together, find `other_rate` among the treated.

    `base_rate` is that of the other arm. ValueError where a rate is not within (0, 1) or both are
    the same: no number of recipients finds a difference of nothing.
    """
    _refuse_outside("base_rate", base_rate, above=0.0, below=1.0)
    _refuse_outside("other_rate", other_rate, above=0.0, below=1.0)
    difference = abs(other_rate - base_rate)
    if difference < LEAST_DIFFERENCE:
        raise ValueError(f"both rates are {base_rate}: no number of recipients finds nothing")
    needed = (_distance(base_rate, other_rate, design) / difference) ** 2
    return max(design.arms, math.ceil(needed))


def least_difference(base_rate: float, recipients: int, *, design: Design) -> float | None:
    """The smallest rise above `base_rate` that `recipients` (both arms together) find.

    In units of the rate (0.003 = 0.3 percentage points); None where even a rise to 100 % would not
    be found so often as `design` asks.
    """
    _refuse_outside("base_rate", base_rate, above=0.0, below=1.0)
    if recipients < design.arms:
        raise ValueError(f"recipients is {recipients}; it takes {design.arms} to fill both arms")
    most = 1 - base_rate

    def short_of(difference: float) -> float:
        distance = _distance(base_rate, base_rate + difference, design)
        return difference * math.sqrt(recipients) - distance

    if short_of(most) < 0:
        return None
    found: float = brentq(short_of, 0.0, most, xtol=LEAST_DIFFERENCE)
    return found


def more_needed(base_rate: float, other_rate: float, recipients: int, *, design: Design) -> str:
    """A sentence for people: how many more recipients it takes to tell the two rates apart."""
    needed = recipients_needed(base_rate, other_rate, design=design)
    sure = f"(level {design.level:.0%}, power {design.power:.0%})"
    question = f"to tell {_rate(other_rate)} from {_rate(base_rate)} {sure}"
    if recipients >= needed:
        return f"{recipients:,} recipients are enough {question}"
    return f"needs {_rounded_up(needed - recipients):,} more recipients {question}"


def _distance(base_rate: float, other_rate: float, design: Design) -> float:
    """The difference that one recipient would have to show; it falls as their square root."""
    share = design.treated_share
    pooled = share * other_rate + (1 - share) * base_rate
    if_equal = pooled * (1 - pooled) / (share * (1 - share))
    as_they_are = other_rate * (1 - other_rate) / share + base_rate * (1 - base_rate) / (1 - share)
    surely, found = norm.ppf((1 + design.level) / 2), norm.ppf(design.power)
    return float(surely * math.sqrt(if_equal) + found * math.sqrt(as_they_are))


def _rounded_up(count: int) -> int:
    """Two digits say all that such a number knows; upwards, so that it is enough."""
    step: int = 10 ** max(0, len(str(count)) - 2)
    return math.ceil(count / step) * step


def _rate(rate: float) -> str:
    return f"{100 * rate:.3g} %"


def _refuse_outside(name: str, value: float, *, above: float, below: float) -> None:
    if not above < value < below:
        raise ValueError(f"{name} is {value}; it lies above {above:g} and below {below:g}")
