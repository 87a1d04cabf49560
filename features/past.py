"""The past of each spine row: what had happened and was known at its `as_of`, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import cos, pi, sin

import numpy as np
import polars as pl

from features.acts import IS_EMAIL, IS_OWN, IS_YES
from features.bots import behaving_like_machines
from features.feature import CLOCK_RADIUS, MONEY
from features.history import newest_per
from features.localtime import local_of, with_local
from features.once import earliest_copies
from features.people import as_known

# So many joined lines are described at a time: about half a gigabyte.
_LINES_AT_A_TIME = 2_000_000


@dataclass(frozen=True)
class Past:
    """Spine rows and what they may see.

    `rows`: each (customer_id, as_of) once, numbered by `row`, with what CUSTOMERS said by then,
    `timezone` (always one that can be converted to), `zone_known` and `local_as_of`.
    `lines`: HISTORY lines by `row`, with `age` in microseconds, local time, and integers where
    sums are taken.
    """

    rows: pl.DataFrame
    lines: pl.DataFrame


def past_of(
    history: pl.DataFrame,
    spine: pl.DataFrame,
    customers: pl.DataFrame,
    *,
    default_timezone: str,
    limit: int,
) -> Past:
    """The past of every distinct spine row.

    A row sees an event that happened before its `as_of` and was known by then, each event once,
    and of these the `limit` newest (and whatever is ALWAYS_KEPT).
    """
    rows = _rows(spine, customers, default_timezone=default_timezone)
    lines = (
        rows.lazy()
        .select("row", "customer_id", "timezone", "as_of")
        .join(_told(history, rows).lazy(), on=["customer_id", "timezone"], how="inner")
        .filter(pl.col("at") < pl.col("as_of"), pl.col("known_at") <= pl.col("as_of"))
        .with_columns(age=(pl.col("as_of") - pl.col("at")).dt.total_microseconds())
        .drop("customer_id", "timezone", "as_of", "known_at")
        .collect()
    )
    return Past(rows, _without_machines(newest_per("row", lines, limit)))


def _without_machines(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines, where what only a machine would do is neither an own act nor about e-mail."""
    places = behaving_like_machines(lines, "row").get_column("place")
    lines = lines.drop("message_id")
    if places.is_empty():
        return lines
    is_human = pl.Series(np.ones(lines.height, dtype=np.bool_)).scatter(places, False)
    return lines.with_columns(
        is_own=pl.col("is_own") & is_human, is_email=pl.col("is_email") & is_human
    )


def portions(history: pl.DataFrame, spine: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The spine's rows in portions that bound memory, all rows of a customer in one of them.

    Nobody's past depends on anybody else's, so the portions are described one after another.
    """
    spine = spine.select("customer_id", "as_of")
    if spine.height * history.height <= _LINES_AT_A_TIME:
        yield spine
        return
    per_customer = (
        spine.group_by("customer_id", maintain_order=True)
        .len("dates")
        .join(
            history.group_by("customer_id").len("events"),
            on="customer_id",
            how="left",
            maintain_order="left",
        )
    )
    lines = pl.col("dates").cast(pl.Int64) * pl.col("events").fill_null(0).cast(pl.Int64)
    numbered = per_customer.select("customer_id", portion=lines.cum_sum() // _LINES_AT_A_TIME)
    placed = spine.join(numbered, on="customer_id", maintain_order="left")
    yield from placed.partition_by("portion", maintain_order=True, include_key=False)


def _rows(spine: pl.DataFrame, customers: pl.DataFrame, *, default_timezone: str) -> pl.DataFrame:
    rows = spine.select("customer_id", "as_of").unique(maintain_order=True).with_row_index("row")
    said = with_local(
        as_known(customers, rows), "as_of", zone_column="timezone", default=default_timezone
    )
    zone = pl.when("zone_known").then("timezone").otherwise(pl.lit(default_timezone))
    return said.with_columns(timezone=zone)


def _told(history: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Whatever can be said of an event without knowing `as_of`, once per event and time zone.

    `moment` numbers the events by (at, event_id): what is newest is never a matter of row order.
    """
    zones = rows.select("customer_id", "timezone").unique()
    events = earliest_copies(
        history.join(zones, on="customer_id", how="inner"),
        of=["customer_id", "timezone", "event_id"],
    ).sort("customer_id", "timezone", "at", "event_id")
    local = local_of(events.get_column("at"), events.get_column("timezone"))
    local_hour = local.dt.hour().alias("local_hour")
    return events.select(
        "customer_id",
        "timezone",
        "event_id",
        "at",
        "known_at",
        "kind",
        "channel",
        "product_id",
        "category",
        "order_id",
        "coupon",
        "payment",
        "link",
        "email",
        "message_id",
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("moment"),
        _thousandths(pl.col("quantity").fill_null(1.0)).alias("quantity"),
        _integer(pl.col("amount")),
        _integer(pl.col("discount")),
        _thousandths(pl.col("duration_s")).alias("duration_ms"),
        IS_EMAIL.alias("is_email"),
        IS_OWN.alias("is_own"),
        IS_YES.alias("is_yes"),
        local.dt.date().alias("local_day"),
        local_hour,
        _on_clock(local_hour, cos).alias("clock_east"),
        _on_clock(local_hour, sin).alias("clock_north"),
        (local.dt.weekday() >= 6).alias("is_weekend"),
    )


def _integer(money: pl.Expr) -> pl.Expr:
    return (money * MONEY).cast(pl.Int64)


def _thousandths(number: pl.Expr) -> pl.Expr:
    # Bounded, so that one absurd value cannot fail a whole query.
    return (number.clip(0, 1e9) * 1_000).round().cast(pl.Int64)


def _on_clock(hours: pl.Series, wave: Callable[[float], float]) -> pl.Series:
    """A coordinate of each hour on the clock face."""
    face = pl.Series([round(CLOCK_RADIUS * wave(2 * pi * hour / 24)) for hour in range(24)])
    return face.gather(hours)
