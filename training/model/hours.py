"""Send-hour scores: in which local hours a customer is likely to be there.

A customer's own hours, shrunk to those of the segment and of everyone, go through a logistic
regression (the offset); small trees correct what it misses. Neither ever sees the hour itself or
who the customer is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from training.model.model import Model
from training.model.shrinkage import (
    HOURS,
    KINDS_OF_DAY,
    SLOTS,
    Curves,
    Floats,
    Shrinkage,
    shrunk,
    smoothed,
    with_other_days,
)

# What the logistic regression is made of; the trees see these and the others.
LOGISTIC = (
    "own_hour", "segment_hour", "everyone_hour", "own_clicks", "acts", "is_weekend",
)  # fmt: skip
MEANINGS = {
    "own_hour": "ln of the customer's shrunk share of the day over the segment's",
    "segment_hour": "ln of the segment's share of the day over everyone's",
    "everyone_hour": "ln of everyone's share of the day over an even day",
    "own_clicks": "ln of the customer's share of clicks over that of all acts, shrunk",
    "acts": "ln(1 + own acts on this kind of day), halved every 180 days",
    "is_weekend": "1 on Saturday and Sunday of the local clock",
    "own_acts_here": "ln(1 + own acts in this very hour of this kind of day)",
    "other_days_hour": "as own_hour, from the acts of the other kind of day alone",
    "share": "ln of the customer's shrunk share of the day over an even day",
}
INPUTS = tuple(MEANINGS)


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


def slot_chances(model: Model, own: OwnHours, segments: pl.Series) -> Floats:
    """The `probability` of score_hours for each slot, [customers, 2, 24]."""
    shrinkage = Shrinkage(**model.tables["shrinkage"].row(0, named=True))
    curves = Curves.from_table(model.tables["curves"])
    prior = curves.shares[curves.places(segments)]
    inputs = slot_inputs(own, prior, curves.everyone, shrinkage)
    offset = log_odds(inputs, model.tables["logistic"]["coefficient"].to_numpy())
    frame = pl.DataFrame(inputs, schema=list(model.inputs))
    chances = model.probability(frame, pl.Series(offset)).to_numpy()
    return chances.reshape(prior.shape)


def sources(model: Model, own: OwnHours, segments: pl.Series) -> pl.Series:
    """Whose hours weigh most in the chances of each customer and kind of day, [customers x 2]."""
    shrinkage = Shrinkage(**model.tables["shrinkage"].row(0, named=True))
    curves = Curves.from_table(model.tables["curves"])
    acts = with_other_days(own.acts, shrinkage.other_days).sum(axis=-1)
    segment_is_own = curves.is_own[curves.places(segments)][:, None]
    fallback = np.where(segment_is_own, "segment", "everyone")
    source = np.where(acts >= shrinkage.customer_weight, "customer", fallback)
    return pl.Series("source", source.reshape(-1), dtype=pl.String)


def score_hours(model: Model, hours: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """48 rows per row of `people` (customer_id, as_of, segment): weekend x local hour.

    `probability` is, by `about["evidence"]`, that of a human click on a mail sent in that hour
    ("clicks"), or of an own act within that hour of one such day ("activity"). `source` says
    whose hours weigh most in it: customer, segment or everyone. `hours` are those of
    features.profiles; somebody without any has none.
    """
    own = own_hours(hours, people)
    segments = people.get_column("segment")
    slots = pl.DataFrame({
        "weekend": np.tile(np.repeat([False, True], HOURS), people.height),
        "hour": np.tile(np.arange(HOURS, dtype=np.int8), KINDS_OF_DAY * people.height),
        "probability": slot_chances(model, own, segments).reshape(-1),
        "source": sources(model, own, segments).repeat_by(HOURS).explode(),
    })  # fmt: skip
    whose = people.select(pl.col("customer_id", "as_of").repeat_by(SLOTS).explode())
    return pl.concat([whose, slots], how="horizontal")
