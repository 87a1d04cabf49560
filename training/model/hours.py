"""Send-hour scores: in which local hours a customer is likely to be there.

A customer's own hours are few, so they are shrunk: customer -> segment -> everyone. A share of the
day is (own acts, smoothed over the clock + prior weight x the segment's curve), made to sum to 1: a
Dirichlet prior around the segment. A logistic regression turns shares into log-odds (the offset),
and small trees correct what it misses. Neither ever sees the hour itself or who the customer is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.model.model import Model

Floats = NDArray[np.float64]

KINDS_OF_DAY, HOURS = 2, 24  # weekday and weekend, by the local clock
SLOTS = KINDS_OF_DAY * HOURS
EVERYONE = ""  # the segment under which everybody's curve is kept

# What the logistic regression is made of; the trees see these and the others of INPUTS.
LOGISTIC = (
    "own_hour", "segment_hour", "everyone_hour", "own_clicks", "acts", "is_weekend",
)  # fmt: skip
MEANINGS = {
    "own_hour": "ln of the customer's shrunk share of the day over the segment's",
    "segment_hour": "ln of the segment's share of the day over everyone's",
    "everyone_hour": "ln of everyone's share of the day over an even day",
    "own_clicks": "ln of the share of the customer's clicks over that of all acts, shrunk",
    "acts": "ln(1 + own acts on this kind of day), half-life 180 days",
    "is_weekend": "1 on Saturday and Sunday of the local clock",
    "own_acts_here": "ln(1 + own acts in this very hour of this kind of day)",
    "other_days_hour": "as own_hour, from the acts of the other kind of day alone",
    "share": "ln of the customer's shrunk share of the day over an even day",
}
INPUTS = tuple(MEANINGS)
# More of it must never make a slot less likely: weekends may go either way, and so may `acts`,
# of which a recent customer has few without being less active.
MONOTONE = tuple(0 if name in ("is_weekend", "acts") else 1 for name in INPUTS)


@dataclass(frozen=True)
class Shrinkage:
    """How much the hours of others count beside a customer's own.

    `smoothing_hours` is the standard deviation of the circular Gaussian over the clock,
    `other_days` the worth of an act on the other kind of day, `customer_weight` the prior's
    weight in acts, `segment_weight` the weight of everyone's curve in customers of the segment.
    """

    smoothing_hours: float
    other_days: float
    customer_weight: float
    segment_weight: float


@dataclass(frozen=True, eq=False)
class OwnHours:
    """What customers did by local hour, each [customers, 2 kinds of day, 24 hours]."""

    acts: Floats
    clicks: Floats


def own_hours(hours: pl.DataFrame, people: pl.DataFrame) -> OwnHours:
    """The rows of `hours` (features.profiles) laid out in the order of `people`."""
    rows = people.select("customer_id", "as_of").with_row_index("row")
    found = rows.join(hours, on=["customer_id", "as_of"])
    slot = (
        found["row"].to_numpy(),
        found["weekend"].cast(pl.Int64).to_numpy(),
        found["hour"].cast(pl.Int64).to_numpy(),
    )
    acts, clicks = (np.zeros((people.height, KINDS_OF_DAY, HOURS)) for _ in range(2))
    acts[slot] = found["acts"].to_numpy()
    clicks[slot] = found["clicks"].to_numpy()
    return OwnHours(acts=acts, clicks=clicks)


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


def shrunk(own: Floats, prior: Floats, weight: float) -> Floats:
    """Shares of the day [..., 24]: `own` acts, and `weight` acts distributed as `prior`."""
    total = own.sum(axis=-1, keepdims=True) + weight
    shares: Floats = (own + weight * prior) / total
    return shares


def with_other_days(spread: Floats, worth: float) -> Floats:
    """Acts [..., 2, 24] of each kind of day, and those of the other kind at a lower worth."""
    return spread + worth * spread[..., ::-1, :]


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
        """Read segment, weekend, hour, share, is_own: 48 rows per segment, in any order."""
        rows = table.sort("segment", "weekend", "hour")
        names = rows["segment"].to_list()[::SLOTS]
        return cls(
            segments=tuple(names),
            shares=rows["share"].to_numpy().reshape(len(names), KINDS_OF_DAY, HOURS),
            is_own=rows["is_own"].to_numpy()[::SLOTS],
        )

    def to_table(self) -> pl.DataFrame:
        """The opposite of `from_table`."""
        count = len(self.segments)
        return pl.DataFrame({
            "segment": np.repeat(np.array(self.segments, dtype=object), SLOTS),
            "weekend": np.tile(np.repeat([False, True], HOURS), count),
            "hour": np.tile(np.arange(HOURS, dtype=np.int8), KINDS_OF_DAY * count),
            "share": self.shares.reshape(-1),
            "is_own": np.repeat(self.is_own, SLOTS),
        }, schema_overrides={"segment": pl.String})  # fmt: skip

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


def slot_inputs(own: OwnHours, prior: Floats, everyone: Floats, shrinkage: Shrinkage) -> Floats:
    """The INPUTS of each slot, [customers x 48, inputs]; used for training and for scoring.

    `prior` [customers, 2, 24] holds the curves of the customers' segments, `everyone` is [2, 24].
    """
    weight = shrinkage.customer_weight
    spread = smoothed(own.acts, shrinkage.smoothing_hours)
    shares = shrunk(with_other_days(spread, shrinkage.other_days), prior, weight)
    clicks = shrunk(smoothed(own.clicks, shrinkage.smoothing_hours), shares, weight)
    columns = {
        "own_hour": np.log(shares / prior),
        "segment_hour": np.log(prior / everyone),
        "everyone_hour": np.log(everyone * HOURS),
        "own_clicks": np.log(clicks / shares),
        "acts": np.log1p(own.acts.sum(axis=-1, keepdims=True)),
        "is_weekend": np.array([[0.0], [1.0]]),
        "own_acts_here": np.log1p(own.acts),
        "other_days_hour": np.log(shrunk(spread[:, ::-1], prior, weight) / prior),
        "share": np.log(shares * HOURS),
    }
    whole = [np.broadcast_to(columns[name], shares.shape).reshape(-1) for name in INPUTS]
    return np.stack(whole, axis=1)


def log_odds(inputs: Floats, coefficients: Floats) -> Floats:
    """The logistic regression's log-odds; `coefficients` are those of LOGISTIC, then intercept."""
    parts = inputs[:, [INPUTS.index(name) for name in LOGISTIC]]
    offset: Floats = (parts * coefficients[:-1]).sum(axis=1) + coefficients[-1]
    return offset


def score_hours(model: Model, hours: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """48 rows per row of `people` (customer_id, as_of, segment): weekend x local hour.

    `probability` is, by `about["evidence"]`, that of a human click on a mail sent in that hour
    ("clicks"), or of an own act within that hour of one such day ("activity"). `source` says
    whose hours weigh most in it: customer, segment or everyone.
    """
    shrinkage = Shrinkage(**model.tables["shrinkage"].row(0, named=True))
    curves = Curves.from_table(model.tables["curves"])
    segment = curves.places(people["segment"])
    own = own_hours(hours, people)

    inputs = slot_inputs(own, curves.shares[segment], curves.everyone, shrinkage)
    offset = log_odds(inputs, model.tables["logistic"]["coefficient"].to_numpy())
    frame = pl.DataFrame(inputs, schema=list(model.inputs))
    probability = model.probability(frame, pl.Series(offset)).to_numpy()

    # Over the horizon a weekday slot comes more often than a weekend slot: back to one day.
    days = np.tile(np.repeat(model.tables["days"]["days"].to_numpy(), HOURS), people.height)
    one_day = -np.expm1(np.log1p(-probability) / days)

    weight = with_other_days(own.acts, shrinkage.other_days).sum(axis=-1)
    source = np.where(
        weight >= shrinkage.customer_weight,
        "customer",
        np.where(curves.is_own[segment], "segment", "everyone")[:, None],
    )
    return people.select(pl.col("customer_id", "as_of").repeat_by(SLOTS).explode()).with_columns(
        weekend=pl.Series(np.tile(np.repeat([False, True], HOURS), people.height)),
        hour=pl.Series(np.tile(np.arange(HOURS, dtype=np.int8), KINDS_OF_DAY * people.height)),
        probability=pl.Series(one_day, dtype=pl.Float64),
        source=pl.Series(np.repeat(source.reshape(-1), HOURS), dtype=pl.String),
    )
