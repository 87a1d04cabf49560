"""All that shut the best minute of an e-mail that leaves at another one."""

from __future__ import annotations

import polars as pl

from serving.frequency import IS_OWED_ANEW
from serving.guardrails import clock_rules
from serving.hours import hours
from serving.reasons import listed, no_reasons, told
from serving.settings import PolicySettings


def with_all_that_shut(
    arms: pl.DataFrame, chosen: pl.Series, closed: pl.DataFrame, policy: PolicySettings
) -> pl.DataFrame:
    """`arms` whose `moved_by`, one reason, has become the list of all of `chosen` arms.

    The list is empty where the best minute is open, and of arms that were not chosen. `closed` are
    times that are shut to a person, columns of serving.frequency.CLOSED. What was named first stays
    first; of a code that shuts the minute more than once, what shuts it longest is told.
    """
    moved = arms.lazy().filter(pl.col("arm").is_in(chosen.implode()), ~pl.col("moved_by").is_null())
    named = moved.select("arm", pl.col("moved_by").struct.unnest())
    found = pl.concat([named, _by_frequency(moved, closed), _by_clock(moved, policy)])
    lists = listed([found.unique(["arm", "code"], keep="first", maintain_order=True)],
                   "arm", "moved_by")  # fmt: skip
    return (
        arms.lazy()
        .drop("moved_by")
        .join(lists, on="arm", how="left", maintain_order="left")
        .with_columns(pl.col("moved_by").fill_null(no_reasons()))
        .collect(engine="in-memory")
    )


def _by_frequency(moved: pl.LazyFrame, closed: pl.DataFrame) -> pl.LazyFrame:
    at = pl.col("unconstrained_at")
    return (
        moved.select(
            "arm", "person", "email", "mail_class", "only_time", "unconstrained_at",
            happened_at=pl.col("as_of") - hours(pl.col("since_hours")),
        )
        .join(closed.lazy(), on="person")
        .filter(
            pl.col("forbids").is_null() | (pl.col("forbids") == pl.col("email")),
            pl.col("of_class").is_null() | (pl.col("of_class") == pl.col("mail_class")),
            (pl.col("closed_from") < at) & (pl.col("closed_until") > at),
            ~IS_OWED_ANEW,
        )
        .sort("closed_until", "code", "text", descending=[True, False, False])
        .select("arm", "code", "text")
    )  # fmt: skip


def _by_clock(moved: pl.LazyFrame, policy: PolicySettings) -> pl.LazyFrame:
    local = moved.with_columns(local_at="unconstrained_local_at").with_columns(
        hour=pl.col("local_at").dt.hour().cast(pl.Int64)
    )
    return told(local, "arm", clock_rules(policy)).select("arm", "code", "text")
