"""Send-hour scores: in which local hours a customer is about, and what that is worth to a mail.

A customer's own hours, shrunk to those of people like them, go through a logistic regression (the
offset); small trees correct what it misses, where they do. Neither ever sees the hour itself or who
the customer is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import polars as pl

from training.model.habits import LOGISTIC, Habits, habits_in, log_odds, own_hours, slot_inputs
from training.model.model import Model, sigmoid
from training.model.shrinkage import (
    EVERYONE,
    HOURS,
    KINDS_OF_DAY,
    SLOTS,
    Floats,
    Kinds,
    Shrinkage,
    kernel,
    mixed,
)

# So many customers at a time: what is worked on stays near the processor.
BLOCK = 500
WHOSE = ("customer", "segment", "everyone")
# How sure it has to be that clicks follow presence at all: if they do not, everybody is moved in
# vain, and the mistake does not average out. 98 in 100, in standard errors to one side.
STEPS_BELOW = 2.05
# What the merchant expects may be off by so much of it, so that alone it is not quite sure.
PULL_SPREAD = 0.5


@dataclass(frozen=True)
class Usual:
    """What an hour is compared with, and what a better one has to show for itself.

    `pull` says how clicks follow presence where no clicks have told: their ratio is that of the
    shares to this power. A gain counts if it is above zero with the chance `certainty`.
    """

    hour: int
    pull: float
    certainty: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """The tables of a model.

    `low` is the surely reached part of `exponent`, `error` its standard error; all may be absent.
    """

    shrinkage: Shrinkage
    kinds: Kinds
    coefficients: Floats
    exponent: float | None
    low: float | None
    error: float | None


@lru_cache(maxsize=8)
def fitted(model: Model) -> Fitted:
    """The tables of `model` as they are scored with."""
    tables = model.tables
    pull = tables["pull"].row(0, named=True)
    return Fitted(
        shrinkage=Shrinkage(**tables["shrinkage"].row(0, named=True)),
        kinds=Kinds.from_tables(tables["kinds"], tables["segments"]),
        coefficients=tables["logistic"]["coefficient"].to_numpy(),
        exponent=pull["exponent"],
        low=pull["low"],
        error=pull.get("error"),  # models of before do not tell it
    )


def slot_log_odds(model: Model, acts: Floats, segments: pl.Series) -> Floats:
    """The log-odds of each slot, [n, 2, 24]."""
    tables = fitted(model)
    return _log_odds(model, habits_in(acts, segments, tables.kinds, tables.shrinkage), tables)


def day_shares(model: Model, acts: Floats, segments: pl.Series) -> Floats:
    """Which hour of its day the next own act will be in, [n, 2, 24]; each kind of day sums to 1."""
    tables = fitted(model)
    habits = habits_in(acts, segments, tables.kinds, tables.shrinkage)
    if tables.exponent is not None:
        return habits.shares
    rates = np.logaddexp(0.0, _log_odds(model, habits, tables))  # -ln(1 - chance)
    shares: Floats = rates / rates.sum(axis=-1, keepdims=True)
    return shares


def score_hours(
    model: Model, hours: pl.DataFrame, people: pl.DataFrame, usual: Usual
) -> pl.DataFrame:
    """48 rows per row of `people` (customer_id, as_of, segment): weekend x local hour.

    `probability` is, by `about["evidence"]`, that of a human click on a mail sent in that hour
    ("clicks"), or of an own act within that hour of one such day ("activity"). `lift` is what the
    hour multiplies clicks by, the usual hour of the same kind of day being 1: above 1 only where
    that is sure, else it is what the segment's hours, everyone's, or nobody's promise. `lift_low`
    is its lower bound. `customer`, `segment` and `everyone` say how much of it is the customer's
    own evidence, the segment's and everyone's (they sum to 1), `source` which of them speaks.
    `hours` are those of features.profiles; somebody without any has none.
    """
    tables, acts = fitted(model), own_hours(hours, people)
    segments = people.get_column("segment")
    found = [
        _scored(model, tables, acts[start : start + BLOCK], segments[start : start + BLOCK], usual)
        for start in range(0, max(1, people.height), BLOCK)
    ]
    columns = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    source = pl.Series(columns.pop("source").reshape(-1), dtype=pl.Int64)
    named = pl.Series(WHOSE, dtype=pl.String).gather(source)
    slots = pl.DataFrame({
        "weekend": np.tile(np.repeat([False, True], HOURS), people.height),
        "hour": np.tile(np.arange(HOURS, dtype=np.int8), KINDS_OF_DAY * people.height),
        **{name: values.reshape(-1) for name, values in columns.items()},
        "source": named,
    })  # fmt: skip
    whose = np.repeat(np.arange(people.height), SLOTS)
    return pl.concat([people.select("customer_id", "as_of")[whose], slots], how="horizontal")


def _log_odds(model: Model, habits: Habits, tables: Fitted) -> Floats:
    inputs = slot_inputs(habits, tables.kinds.everyone)
    raw = model.booster.raw(inputs)
    odds: Floats = raw + log_odds(inputs, tables.coefficients)
    return odds.reshape(habits.shares.shape)


def _scored(
    model: Model, tables: Fitted, acts: Floats, segments: pl.Series, usual: Usual
) -> dict[str, Floats]:
    """The columns of score_hours, each [n, 2, 24]; `source` by its place in WHOSE."""
    habits = habits_in(acts, segments, tables.kinds, tables.shrinkage)
    odds = _log_odds(model, habits, tables)
    promised = _promises(habits, odds, tables, usual)
    shares = _evidence(habits, tables)
    best = np.argmax(np.stack(shares), axis=0)[..., None]

    gain, low = promised[0]
    is_sure = (gain <= 0) | (low > 0)
    source = np.broadcast_to(best, odds.shape)
    decided, bound = np.where(is_sure, gain, 0.0), np.where(is_sure, low, 0.0)
    for whose in (2, 1):  # the segment's word comes before everyone's
        theirs, theirs_low = promised[whose]
        speaks = ~is_sure & (theirs_low > 0)
        decided = np.where(speaks, np.minimum(gain, theirs), decided)
        bound = np.where(speaks, np.minimum(decided, theirs_low), bound)
        source = np.where(speaks, whose, source)
    own, like, everyone = (np.broadcast_to(share[..., None], odds.shape) for share in shares)
    return {
        "probability": sigmoid(odds),
        "lift": np.exp(decided).round(9),
        "lift_low": np.exp(bound).round(9),
        "customer": own,
        "segment": like,
        "everyone": everyone,
        "source": source,
    }


def _promises(
    habits: Habits, odds: Floats, tables: Fitted, usual: Usual
) -> tuple[tuple[Floats, Floats], ...]:
    """What each of WHOSE hours promises: ln of the lift, and its lower bound, [n, 2, 24].

    A mistake about the exponent hits everybody, so there the bound takes its own, stricter lower
    end. One about a customer's shares averages out over many: there `certainty` says how sure.
    """
    at = slice(usual.hour, usual.hour + 1)
    exponent, low = _pull(tables, usual)
    steps = NormalDist().inv_cdf(usual.certainty)

    # Of two log-odds of presence, the difference is worth the exponent; those of clicks hold it.
    scale = tables.coefficients[LOGISTIC.index("share")]
    per_step = 1 / scale if scale > 0 else 0.0
    more = per_step * (odds - odds[..., at])
    surely = more - steps * np.sqrt(_doubt(habits, tables, at))

    curves, heard = tables.kinds.curves, tables.kinds.heard[:, None, None]
    like = np.log(curves / curves[..., at])
    noise = _roughness(tables) * (1 / curves + 1 / curves[..., at]) / (heard + 1)
    noise[..., at] = 0.0
    theirs, theirs_low = exponent * like, low * (like - steps * np.sqrt(noise))
    segment, everyone = habits.places, tables.kinds.segments.index(EVERYONE)
    # A segment never seen has no word of its own.
    known = np.where((segment == everyone)[:, None, None], -np.inf, theirs_low[segment])
    return (
        (exponent * more, low * surely),
        (theirs[segment], known),
        (theirs[everyone], theirs_low[everyone]),
    )


def _pull(tables: Fitted, usual: Usual) -> tuple[float, float]:
    """How clicks follow presence, and the part of it that is sure.

    What clicks told and what the merchant expects are weighed by how sure each is, so that a few
    clicks do not take away what holds without any.
    """
    if tables.exponent is None or tables.low is None:
        return usual.pull, usual.pull
    if not tables.error or not usual.pull:
        return tables.exponent, tables.low
    told, expected = tables.error**-2, (PULL_SPREAD * usual.pull) ** -2
    exponent = (told * tables.exponent + expected * usual.pull) / (told + expected)
    return exponent, max(0.0, exponent - STEPS_BELOW * (told + expected) ** -0.5)


def _doubt(habits: Habits, tables: Fitted, at: slice) -> Floats:
    """The variance of ln(share here / share at the usual hour), [n, 2, 24], by the delta method.

    Which kind a customer is of is not known, nor how they differ from their kind. Smoothing lends
    each hour the acts of its neighbours, and takes that much off the noise of counting.
    """
    shares, kinds = habits.shares, tables.kinds.shares
    usual = shares[..., at]
    mean = mixed(habits.likely, kinds)
    square = mixed(habits.likely, kinds**2) - mean**2
    both = mixed(habits.likely, kinds * kinds[..., at]) - mean * mean[..., at]
    part = habits.weight**2
    count = _roughness(tables) / (habits.total + 1)
    here = (part * square + count * shares * (1 - shares)) / shares**2
    covariance = part * both / (shares * usual) - count
    variance: Floats = np.maximum(here + here[..., at] - 2 * covariance, 0.0)
    variance[..., at] = 0.0
    return variance


def _roughness(tables: Fitted) -> float:
    return float((kernel(tables.shrinkage.smoothing_hours) ** 2).sum())


def _evidence(habits: Habits, tables: Fitted) -> tuple[Floats, Floats, Floats]:
    """How much of the shares is own evidence, the segment's and everyone's: each [n, 2], sum 1.

    Own acts also say which kinds of people are likely: what they leave as it was is not own.
    """
    kinds = tables.kinds
    untouched = np.zeros(len(habits.acts))
    for before, after in zip(kinds.common[habits.places].T, habits.likely.T, strict=True):
        untouched += np.minimum(before, after)
    others = habits.weight[..., 0] * np.minimum(untouched, 1.0)[:, None]
    speaks = kinds.heard / (kinds.heard + tables.shrinkage.segment_weight)
    speaks[kinds.segments.index(EVERYONE)] = 0.0
    like = others * speaks[habits.places][:, None]
    return 1 - others, like, others - like
