"""A customer's few hours shrunk towards those of people like them, of their segment, of everyone.

There are a few kinds of people, each with hours of its own. What a customer did says which kinds
they may be of; their segment, and behind it everyone, says how common each kind is. A share of the
day is then (own acts, smoothed over the clock + weight x share of their kinds) / (all of that): the
mean of a Dirichlet distribution whose prior is a mixture (Minka 2000, Estimating a Dirichlet
distribution; the kinds are those of Holmes, Harris, Quince 2012, PLoS ONE 7(2)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KINDS_OF_DAY, HOURS = 2, 24  # weekday and weekend, by the local clock
SLOTS = KINDS_OF_DAY * HOURS
EVERYONE = ""  # the segment under which everybody is kept


@dataclass(frozen=True)
class Shrinkage:
    """How much the hours of others count beside a customer's own.

    `smoothing_hours` is the standard deviation of the circular Gaussian over the clock,
    `other_days` the worth of an act on the other kind of day, `customer_weight` the weight in acts
    of the share that the kinds of people give, `segment_weight` that of everyone in customers of
    the segment, `telling` how much an act says of somebody's kind (1 = as if acts came singly).
    """

    smoothing_hours: float
    other_days: float
    customer_weight: float
    segment_weight: float
    telling: float


@dataclass(frozen=True, eq=False)
class Kinds:
    """The kinds of people, and how common they are among whom.

    `shares` [kinds, 2, 24] of the day, `common` [segments, kinds], which sum to 1, everyone's under
    the name EVERYONE. `heard` [segments]: of how many customers that is known.
    """

    segments: tuple[str, ...]
    shares: Floats
    common: Floats
    heard: Floats

    @classmethod
    def from_tables(cls, kinds: pl.DataFrame, segments: pl.DataFrame) -> Kinds:
        """Read what `to_tables` wrote: 48 rows per kind, and a row per segment and kind."""
        count = kinds.height // SLOTS
        return cls(
            segments=tuple(segments["segment"].gather_every(count).to_list()),
            shares=kinds["share"].to_numpy().reshape(count, KINDS_OF_DAY, HOURS),
            common=segments["common"].to_numpy().reshape(-1, count),
            heard=segments["heard"].gather_every(count).to_numpy(),
        )

    def to_tables(self) -> dict[str, pl.DataFrame]:
        """`kinds` (kind, weekend, hour, share) and `segments` (segment, kind, common, heard)."""
        count, numbers = len(self.shares), np.arange(len(self.shares), dtype=np.int16)
        return {
            "kinds": pl.DataFrame({
                "kind": np.repeat(numbers, SLOTS),
                "weekend": np.tile(np.repeat([False, True], HOURS), count),
                "hour": np.tile(np.arange(HOURS, dtype=np.int8), KINDS_OF_DAY * count),
                "share": self.shares.reshape(-1),
            }),
            "segments": pl.DataFrame({
                "segment": pl.Series(self.segments, dtype=pl.String).repeat_by(count).explode(),
                "kind": np.tile(numbers, len(self.segments)),
                "common": self.common.reshape(-1),
                "heard": np.repeat(self.heard, count),
            }),
        }  # fmt: skip

    def places(self, segments: pl.Series) -> NDArray[np.int64]:
        """Where each of `segments` stands; a segment never seen gets everyone's place."""
        place = {name: number for number, name in enumerate(self.segments)}
        found = [place.get(name, place[EVERYONE]) for name in segments]
        return np.array(found, dtype=np.int64)

    @property
    def curves(self) -> Floats:
        """The share of the day of each segment, [segments, 2, 24]."""
        return mixed(self.common, self.shares)

    @property
    def everyone(self) -> Floats:
        """Everyone's curve, [2, 24]."""
        curve: Floats = self.curves[self.segments.index(EVERYONE)]
        return curve


def likely_kinds(acts: Floats, kinds: Kinds, places: NDArray[np.int64], telling: float) -> Floats:
    """How likely each customer is of each kind after their `acts` [n, 2, 24]: [n, kinds].

    Everything here is a sum, term after term, and no matrix product: the libraries behind those
    add in another order for one customer than for many, and the last digits would differ.
    """
    told = telling * np.log(kinds.shares).reshape(-1, SLOTS).T
    odds = np.log(kinds.common)[places]
    for slot, acts_here in enumerate(acts.reshape(-1, SLOTS).T):
        odds += acts_here[:, None] * told[slot]
    likely: Floats = np.exp(odds - odds.max(axis=1, keepdims=True))
    total = np.zeros((len(likely), 1))
    for of_kind in likely.T:
        total += of_kind[:, None]
    return likely / total


def mixed(weights: Floats, shares: Floats) -> Floats:
    """`shares` [kinds, 2, 24], weighted by `weights` [n, kinds]: [n, 2, 24]."""
    blend = np.zeros((len(weights), SLOTS))
    for weight, share in zip(weights.T, shares.reshape(len(shares), SLOTS), strict=True):
        blend += weight[:, None] * share
    return blend.reshape(-1, KINDS_OF_DAY, HOURS)


def kernel(smoothing_hours: float) -> Floats:
    """How an act is spread over the 24 hours from its own on; sums to 1."""
    distance = np.minimum(np.arange(HOURS), HOURS - np.arange(HOURS))
    if smoothing_hours == 0:
        alone: Floats = (distance == 0).astype(np.float64)
        return alone
    spread = np.exp(-0.5 * (distance / smoothing_hours) ** 2)
    whole: Floats = spread / spread.sum()
    return whole


def smoothed(acts: Floats, smoothing_hours: float) -> Floats:
    """`acts` [..., 24] spread over the clock by a Gaussian, for which 23 h and 0 h are neighbours.

    Sums are kept. It is a sum of shifts and no matrix product, as in `likely_kinds`.
    """
    if smoothing_hours == 0:
        return acts
    spread = np.zeros_like(acts)
    for shift, weight in enumerate(kernel(smoothing_hours)):
        if weight > 1e-9:
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
