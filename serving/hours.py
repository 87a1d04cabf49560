"""When an e-mail may leave: one instant in each local hour of its window, and its pull.

Instants are made in UTC and only then read off the local clock, so an hour that a clock change
skips never comes up, one that it repeats is two different instants, and all of them exist.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from features.localtime import local_of
from serving.settings import PolicySettings
from training.model.hours import Usual

HOUR = pl.duration(hours=1)
SLOTS = 48  # weekday and weekend, 24 hours each
MICROSECONDS = 3_600_000_000  # of an hour
BEST_HOUR = ("weekend", "hour", "gain", "gain_low", "source", "customer", "segment", "everyone")


def with_window(arms: pl.LazyFrame) -> pl.LazyFrame:
    """Add `starts_at` and `ends_at`: both from what happened, or else from the question.

    The window may be empty (`starts_at` after `ends_at`).
    """
    asked_from = pl.max_horizontal("as_of", "earliest")
    happened_at = pl.col("as_of") - hours(pl.col("since_hours"))
    counted_from = pl.coalesce(happened_at, asked_from)
    return arms.with_columns(
        starts_at=pl.max_horizontal(asked_from, counted_from + hours(pl.col("delay_hours"))),
        ends_at=pl.min_horizontal("deadline", counted_from + hours(pl.col("deadline_hours"))),
    )


def instants_of(arms: pl.DataFrame) -> pl.DataFrame:
    """The instants of each arm in order: `at`, `local_at`, its `hour`, its `slot` of the week.

    `begins` is when its local hour begins, whatever part of that hour the window leaves.

    Each local hour that meets the window gives one instant, `spread` (a share of the hour, the
    customer's own) after its beginning, so that a million e-mails do not leave on the hour.
    For an arm that may leave `at_once` the first instant is the very beginning of its window.
    """
    arms = _with_local(arms.filter(pl.col("starts_at") <= pl.col("ends_at")), "starts_at")
    wall = pl.col("local_starts_at")
    first = pl.col("starts_at") - (wall - wall.dt.truncate("1h"))
    count = ((pl.col("ends_at") - first).dt.total_microseconds() / MICROSECONDS).ceil()
    begins = pl.col("first") + pl.duration(hours="step")
    opens = pl.max_horizontal(begins, "starts_at")
    open_for = pl.min_horizontal(begins + HOUR, "ends_at") - opens
    leaves_now = pl.col("at_once") & (pl.col("step") == 0)
    share = pl.when(leaves_now).then(0.0).otherwise("spread")
    seconds = (open_for.dt.total_seconds() * share).floor().cast(pl.Int64)
    instants = (
        arms.select(
            "arm", "person", "email", "mail_class", "timezone", "at_once", "half_life_hours",
            "starts_at", "ends_at", "spread",
            first=first,
            step=pl.int_ranges(count.clip(lower_bound=1).cast(pl.Int64)),
        )
        .explode("step")
        .with_columns(
            leaves_now=leaves_now, at=opens + pl.duration(seconds=seconds), begins=begins
        )
        .drop("at_once", "spread", "first", "step")
    )  # fmt: skip
    local_hour = pl.col("local_at").dt.hour()
    is_weekend = pl.col("local_at").dt.weekday() >= 6
    return _with_local(instants, "at").with_columns(
        hour=local_hour, slot=local_hour + pl.when(is_weekend).then(24).otherwise(0)
    )


def _with_local(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    local = local_of(frame.get_column(column), frame.get_column("timezone"))
    return frame.with_columns(local.alias(f"local_{column}"))


def with_pull(instants: pl.DataFrame, curves: pl.DataFrame) -> pl.DataFrame:
    """Add `lift`, `freshness`, their product `pull`, and `source`: whose hours were read.

    `curves` holds 48 rows per person, weekdays first, in the order of `person`.
    """
    here = instants.get_column("person").cast(pl.Int64) * SLOTS + instants.get_column("slot")
    waiting = (pl.col("at") - pl.col("starts_at")).dt.total_seconds() / 3600
    return (
        pl.concat([instants, curves.select("source", "lift")[here]], how="horizontal")
        .with_columns(freshness=(0.5 ** (waiting / pl.col("half_life_hours"))).round(9))
        .with_columns(pull=(pl.col("lift") * pl.col("freshness")).round(9))
    )


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
    return pl.duration(microseconds=(count * MICROSECONDS).round(0).cast(pl.Int64))
