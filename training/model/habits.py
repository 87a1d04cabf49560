"""At which hours a customer is about, as far as what they and others did says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.model.shrinkage import (
    HOURS,
    KINDS_OF_DAY,
    Floats,
    Kinds,
    Shrinkage,
    likely_kinds,
    mixed,
    shrunk,
    smoothed,
    with_other_days,
)

# What the logistic regression is made of; the trees see these and the others.
LOGISTIC = ("share", "acts", "is_weekend")
MEANINGS = {
    "share": "ln of the customer's shrunk share of the day over an even day",
    "acts": "ln(1 + own acts on this kind of day), the older the less",
    "is_weekend": "1 on Saturday and Sunday of the local clock",
    "segment_hour": "ln of the segment's share of the day over everyone's",
    "everyone_hour": "ln of everyone's share of the day over an even day",
    "own_acts_here": "ln(1 + own acts in this very hour of this kind of day)",
}
INPUTS = tuple(MEANINGS)
# An hour that mails nearly always covered would make one act look like many.
LEAST_SEEN = 0.25


@dataclass(frozen=True, eq=False)
class Habits:
    """What is known of customers' hours; floats [n, 2, 24] unless they say otherwise.

    `acts` as they were done, `shares` shrunk, `prior` those of the segment, `weight` [n, 2, 1] of
    what is not own in `shares`, `likely` [n, kinds], `places` [n] of the segments.
    """

    acts: Floats
    shares: Floats
    prior: Floats
    weight: Floats
    total: Floats
    likely: Floats
    places: NDArray[np.int64]


def own_hours(hours: pl.DataFrame, people: pl.DataFrame) -> Floats:
    """The rows of `hours` (features.profiles) in the order of `people`: acts [n, 2, 24].

    Acts per day on which the hour was free of our mail, as if all days had been.
    """
    rows = people.select("customer_id", "as_of").with_row_index("row")
    found = rows.join(hours, on=["customer_id", "as_of"])
    slot = (
        found["row"].to_numpy(),
        found["weekend"].cast(pl.Int64).to_numpy(),
        found["hour"].cast(pl.Int64).to_numpy(),
    )
    acts = np.zeros((people.height, KINDS_OF_DAY, HOURS))
    seen = np.maximum(1.0 - found["echo"].to_numpy(), LEAST_SEEN)
    acts[slot] = found["acts"].to_numpy() / seen
    return acts


def habits_in(acts: Floats, segments: pl.Series, kinds: Kinds, shrinkage: Shrinkage) -> Habits:
    """What `acts` [n, 2, 24] of customers in `segments` say of their hours."""
    places = kinds.places(segments)
    likely = likely_kinds(acts, kinds, places, shrinkage.telling)
    spread = with_other_days(smoothed(acts, shrinkage.smoothing_hours), shrinkage.other_days)
    weight = shrinkage.customer_weight
    total = spread.sum(axis=-1, keepdims=True) + weight
    return Habits(
        acts=acts,
        shares=shrunk(spread, mixed(likely, kinds.shares), weight),
        prior=kinds.curves[places],
        weight=weight / total,
        total=total,
        likely=likely,
        places=places,
    )


def slot_inputs(habits: Habits, everyone: Floats) -> Floats:
    """The INPUTS of each slot, [n x 48, inputs]; used for training and for scoring."""
    columns = {
        "share": np.log(habits.shares * HOURS),
        "acts": np.log1p(habits.acts.sum(axis=-1, keepdims=True)),
        "is_weekend": np.array([[0.0], [1.0]]),
        "segment_hour": np.log(habits.prior / everyone),
        "everyone_hour": np.log(everyone * HOURS),
        "own_acts_here": np.log1p(habits.acts),
    }
    inputs = np.empty((*habits.shares.shape, len(INPUTS)))
    for place, name in enumerate(INPUTS):
        inputs[..., place] = columns[name]
    return inputs.reshape(-1, len(INPUTS))


def log_odds(inputs: Floats, coefficients: Floats) -> Floats:
    """The logistic regression's log-odds; `coefficients` are those of LOGISTIC, then intercept."""
    offset = np.full(len(inputs), coefficients[-1])
    for name, coefficient in zip(LOGISTIC, coefficients[:-1], strict=True):
        offset += coefficient * inputs[:, INPUTS.index(name)]
    return offset
