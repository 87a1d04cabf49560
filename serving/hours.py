"""When an e-mail may leave: one instant in each local hour of its window, and its pull.

Instants are made in UTC and only then read off the local clock, so an hour that a clock change
skips never comes up, one that it repeats is two different instants, and all of them exist.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.feature import HOUR
from features.localtime import local_of
from serving.settings import PolicySettings
from serving.tables import UTC
from training.model.hours import Usual

SLOTS = 48  # weekday and weekend, 24 hours each
SECOND = 1_000_000
HOURS_OF_WEEK = 168
# 1970-01-01 was a Thursday; weeks are counted from Monday.
FIRST_HOUR = 3 * 24
SLOT_OF_HOUR = np.array(
    [hour % 24 + (24 if hour >= 5 * 24 else 0) for hour in range(HOURS_OF_WEEK)], dtype=np.int8
)
Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]
BEST_HOUR = ("weekend", "hour", "gain", "gain_low", "source", "customer", "segment", "everyone")


def with_window(arms: pl.DataFrame) -> pl.DataFrame:
    """Add `starts_at` and `ends_at`: both from what happened, or else from the question.

    The window may be empty (`starts_at` after `ends_at`).
    """
    return arms.with_columns(_window())


@lru_cache(maxsize=1)
def _window() -> list[pl.Expr]:
    asked_from = pl.max_horizontal("as_of", "earliest")
    happened_at = pl.col("as_of") - hours(pl.col("since_hours"))
    counted_from = pl.coalesce(happened_at, asked_from)
    starts_at = pl.max_horizontal(asked_from, counted_from + hours(pl.col("delay_hours")))
    ends_at = pl.min_horizontal("deadline", counted_from + hours(pl.col("deadline_hours")))
    return [starts_at.alias("starts_at"), ends_at.alias("ends_at")]


def instants_of(arms: pl.DataFrame) -> pl.DataFrame:
    """The instants of each arm in order: `at`, `local_at`, its `hour`, its `slot` of the week.

    `whose` is the place of the arm in `arms`, of which some may have no instant, `waiting` the
    hours since its window began, and `begins` is when its local hour begins, whatever part of that
    hour the window leaves.

    Each local hour that meets the window gives one instant, `spread` (a share of the hour, the
    customer's own) after its beginning, so that a million e-mails do not leave on the hour.
    For an arm that may leave `at_once` the first instant is the very beginning of its window.
    """
    starts, ends = (_microseconds(arms.get_column(name)) for name in ("starts_at", "ends_at"))
    ahead, behind = (_offsets(arms, name) for name in ("starts_at", "ends_at"))
    first = starts - (starts + ahead) % HOUR
    count = np.maximum(-((first - ends) // HOUR), 1) * (starts <= ends)
    whose = np.repeat(np.arange(arms.height), count)
    step = np.arange(len(whose)) - np.repeat(np.cumsum(count) - count, count)
    begins = first[whose] + step * HOUR
    opens = np.maximum(begins, starts[whose])
    open_for = np.minimum(begins + HOUR, ends[whose]) - opens
    leaves_now = arms.get_column("at_once").to_numpy()[whose] & (step == 0)
    share = np.where(leaves_now, 0.0, arms.get_column("spread").to_numpy()[whose])
    seconds = np.floor(np.floor(open_for / SECOND) * share)
    at = opens + seconds.astype(np.int64) * SECOND
    local_at = at + ahead[whose]
    # An instant lies in the hour that its local hour begins; so hours are counted, not divided.
    hour_of_week = (first + ahead) // HOUR + FIRST_HOUR
    week = (hour_of_week % HOURS_OF_WEEK).astype(np.int32)[whose] + step.astype(np.int32)
    changes = np.flatnonzero((ahead != behind)[whose])
    if len(changes):
        zones = arms.get_column("timezone")[whose[changes]]
        local_at[changes] = at[changes] + _offsets_at(at[changes], zones)
        week[changes] = local_at[changes] // HOUR + FIRST_HOUR
    slot = SLOT_OF_HOUR[week % HOURS_OF_WEEK]
    return pl.DataFrame(
        {
            "whose": whose,
            "at": _moments(at),
            "local_at": pl.Series(local_at).cast(pl.Datetime("us")),
            "begins": _moments(begins),
            "hour": slot % 24,
            "slot": slot,
            "leaves_now": leaves_now,
            "waiting": np.floor((at - starts[whose]) / SECOND) / 3600,
        }
    )


def with_pull(
    instants: pl.DataFrame, people: Numbers, half_life_hours: Floats, curves: pl.DataFrame
) -> pl.DataFrame:
    """Add `lift`, `freshness`, their product `pull`, and `curve`, the row of `curves` they are of.

    `people` and `half_life_hours` are those of each instant; `curves` holds 48 rows per person,
    weekdays first, in the order of `person`.
    """
    here = people * SLOTS + instants.get_column("slot").to_numpy()
    lift = curves.get_column("lift").to_numpy()[here]
    waiting = instants.get_column("waiting").to_numpy()
    freshness = np.round(np.exp2(-waiting / half_life_hours), 9)
    return instants.with_columns(
        lift=pl.Series(lift),
        freshness=pl.Series(freshness),
        pull=pl.Series(np.round(lift * freshness, 9)),
        curve=pl.Series(here),
    )


def _microseconds(times: pl.Series) -> Numbers:
    found: Numbers = times.cast(pl.Int64).to_numpy()
    return found


def _moments(times: Numbers) -> pl.Series:
    return pl.Series(times).cast(UTC)


def _offsets(arms: pl.DataFrame, column: str) -> Numbers:
    """How far the local clock of each arm is ahead of UTC at that time, in microseconds."""
    times = arms.get_column(column)
    return _microseconds(local_of(times, arms.get_column("timezone"))) - _microseconds(times)


def _offsets_at(times: Numbers, zones: pl.Series) -> Numbers:
    return _microseconds(local_of(_moments(times), zones)) - times


def usual_of(policy: PolicySettings) -> Usual:
    """What hours are compared with, by the settings."""
    return Usual(policy.default_hour, policy.hour_pull, policy.hour_certainty)


def best_hours(hours: pl.DataFrame, policy: PolicySettings) -> pl.DataFrame:
    """Per person of `hours` (48 rows each): customer_id, as_of, `best_hours` by kind of day.

    Of the hours in which mail may leave the one of the highest lift; of equals the usual hour, then
    the earliest. `gain` is what it brings in clicks over the usual hour, as a share.
    """
    lift = hours.get_column("lift").to_numpy().reshape(-1, 24).copy()
    lift[:, list(policy.quiet_hours)] = -np.inf
    best = lift.argmax(axis=1)
    usual = lift[:, policy.default_hour]
    best = np.where(lift.max(axis=1) > usual, best, policy.default_hour)
    place = np.arange(len(best)) * 24 + best
    return (
        hours[place]
        .with_columns(gain=pl.col("lift") - 1, gain_low=pl.col("lift_low") - 1)
        .group_by("customer_id", "as_of", maintain_order=True)
        .agg(best_hours=pl.struct(BEST_HOUR))
    )


def hours(count: pl.Expr) -> pl.Expr:
    """A number of hours, with fractions, as a duration."""
    return pl.duration(microseconds=(count * HOUR).round(0).cast(pl.Int64))
