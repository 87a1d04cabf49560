"""A customer's few hours shrunk towards the segment's, and those towards everyone's.

A share of the day is (own acts, smoothed over the clock + weight x prior share) / (all of that):
the mean of a Dirichlet distribution around the prior, after the acts were seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KINDS_OF_DAY, HOURS = 2, 24  # weekday and weekend, by the local clock
SLOTS = KINDS_OF_DAY * HOURS
EVERYONE = ""  # the segment under which everybody's curve is kept


@dataclass(frozen=True)
class Shrinkage:
    """How much the hours of others count beside a customer's own.

    `smoothing_hours` is the standard deviation of the circular Gaussian over the clock,
    `other_days` the worth of an act on the other kind of day, `customer_weight` the weight of the
    segment's curve in acts, `segment_weight` that of everyone's curve in customers of the segment.
    """

    smoothing_hours: float
    other_days: float
    customer_weight: float
    segment_weight: float


@dataclass(frozen=True, eq=False)
class Curves:
    """Shares of the day by segment [segments, 2, 24]; everyone's under the name EVERYONE.

    `is_own` says of each segment whether its own customers weigh more in its curve than everyone.
    """

    segments: tuple[str, ...]
    shares: Floats
    is_own: NDArray[np.bool_]

    @classmethod
    def from_table(cls, table: pl.DataFrame) -> Curves:
        """Read segment, weekend, hour, share, is_own: 48 rows per segment, as `to_table` wrote."""
        names = table["segment"].gather_every(SLOTS)
        return cls(
            segments=tuple(names.to_list()),
            shares=table["share"].to_numpy().reshape(len(names), KINDS_OF_DAY, HOURS),
            is_own=table["is_own"].gather_every(SLOTS).to_numpy(),
        )

    def to_table(self) -> pl.DataFrame:
        """The curves as rows, for the model's folder."""
        count = len(self.segments)
        return pl.DataFrame({
            "segment": pl.Series(self.segments, dtype=pl.String).repeat_by(SLOTS).explode(),
            "weekend": np.tile(np.repeat([False, True], HOURS), count),
            "hour": np.tile(np.arange(HOURS, dtype=np.int8), KINDS_OF_DAY * count),
            "share": self.shares.reshape(-1),
            "is_own": np.repeat(self.is_own, SLOTS),
        })  # fmt: skip

    @property
    def everyone(self) -> Floats:
        """Everyone's curve, [2, 24]."""
        curve: Floats = self.shares[self.segments.index(EVERYONE)]
        return curve

    def places(self, segments: pl.Series) -> NDArray[np.int64]:
        """Where each of `segments` stands; a segment never seen gets everyone's place."""
        place = {name: number for number, name in enumerate(self.segments)}
        found = [place.get(name, place[EVERYONE]) for name in segments]
        return np.array(found, dtype=np.int64)


def smoothed(acts: Floats, smoothing_hours: float) -> Floats:
    """`acts` [..., 24] spread over the clock by a Gaussian, for which 23 h and 0 h are neighbours.

    Sums are kept. It is a sum of shifts and no matrix product: the libraries behind those add
    in another order for one customer than for many, and the last digits would differ.
    """
    if smoothing_hours == 0:
        return acts
    distance = np.minimum(np.arange(HOURS), HOURS - np.arange(HOURS))
    kernel = np.exp(-0.5 * (distance / smoothing_hours) ** 2)
    kernel /= kernel.sum()
    spread = np.zeros_like(acts)
    for shift, weight in enumerate(kernel):
        spread += weight * np.roll(acts, shift, axis=-1)
    return spread


def with_other_days(acts: Floats, worth: float) -> Floats:
    """Acts [..., 2, 24] of each kind of day, and those of the other kind at a lower worth."""
    return acts + worth * acts[..., ::-1, :]


def shrunk(own: Floats, prior: Floats, weight: float) -> Floats:
    """Shares of the day [..., 24]: `own` acts, and `weight` acts distributed as `prior`."""
    total = own.sum(axis=-1, keepdims=True) + weight
    shares: Floats = (own + weight * prior) / total
    return shares
