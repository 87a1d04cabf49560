"""The past of each spine row: what had happened and was known at its `as_of`, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin

import polars as pl

from features.contracts import OWN_KINDS
from features.feature import CLOCK_RADIUS, MONEY
from features.history import newest_per
from features.localtime import with_local
from features.once import unique_events
from features.people import as_known


def rows_of(spine: pl.DataFrame, customers: pl.DataFrame, *, default_timezone: str) -> pl.DataFrame:
    """Each (customer_id, as_of) once, numbered by `row`, with what CUSTOMERS said by then
    and `local_as_of`; `timezone` is always one that can be converted to."""
    rows = spine.select("customer_id", "as_of").unique(maintain_order=True).with_row_index("row")
    said = with_local(
        as_known(customers, rows), "as_of", zone_column="timezone", default=default_timezone
    )
    zone = pl.when("zone_known").then("timezone").otherwise(pl.lit(default_timezone))
    return said.with_columns(timezone=zone)


def past_of(history: pl.DataFrame, rows: pl.DataFrame, *, limit: int | None) -> pl.LazyFrame:
    """HISTORY lines joined to the rows that may see them, with `age`, local time and integers.

    A row sees an event that happened before its `as_of` and was known by then, each event once,
    and of these the `limit` newest (and what decides permissions). None: all of them.
    """
    told = _told(history, rows)
    past = (
        rows.lazy()
        .select("row", "customer_id", "timezone", "as_of")
        .join(told.lazy(), on=["customer_id", "timezone"], how="inner")
        .filter(pl.col("at") < pl.col("as_of"), pl.col("known_at") <= pl.col("as_of"))
        .with_columns(age=(pl.col("as_of") - pl.col("at")).dt.total_microseconds())
        .drop("customer_id", "timezone", "as_of", "known_at")
    )
    if limit is not None and _some_customer_has_more_than(limit, told):
        past = newest_per("row", past.collect(), limit).lazy()
    return past


def _told(history: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Whatever can be said of an event without knowing `as_of`, once per event and time zone.

    `moment` numbers the events by (at, event_id): what is newest is never a matter of row order.
    """
    zones = rows.select("customer_id", "timezone").unique()
    events = unique_events(history.join(zones, on="customer_id", how="semi"))
    placed = (
        events.sort("customer_id", "at", "event_id")
        .with_row_index("moment")
        .join(zones, on="customer_id", how="inner")
    )
    human = ~pl.col("machine").fill_null(False)
    # Sends and answers on other channels are not about e-mail.
    is_other_channel = pl.col("channel").is_in(["push", "sms"])
    local_hour = pl.col("local_at").dt.hour().alias("local_hour")
    return with_local(placed, "at", zone_column="timezone", default="UTC").select(
        "customer_id",
        "timezone",
        "event_id",
        "moment",
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
        _thousandths(pl.col("quantity").fill_null(1.0)).alias("quantity"),
        _integer(pl.col("amount")),
        _integer(pl.col("discount")),
        _thousandths(pl.col("duration_s")).alias("duration_ms"),
        # A click or an open counts as an answer unless the source said that a machine gave it.
        (~is_other_channel & human).alias("is_email"),
        (pl.col("kind").is_in(OWN_KINDS) & human).alias("is_own"),
        pl.col("local_at").dt.date().alias("local_day"),
        local_hour,
        _on_clock(local_hour, cos).alias("clock_east"),
        _on_clock(local_hour, sin).alias("clock_north"),
        (pl.col("local_at").dt.weekday() >= 6).alias("is_weekend"),
    )


def _integer(money: pl.Expr) -> pl.Expr:
    return (money * MONEY).cast(pl.Int64)


def _thousandths(number: pl.Expr) -> pl.Expr:
    # Bounded, so that one absurd value cannot fail a whole query.
    return (number.clip(0, 1e9) * 1_000).round().cast(pl.Int64)


def _on_clock(hour: pl.Expr, wave: Callable[[float], float]) -> pl.Expr:
    hours = range(24)
    coordinates = [round(CLOCK_RADIUS * wave(2 * pi * h / 24)) for h in hours]
    return hour.replace_strict(list(hours), coordinates, return_dtype=pl.Int64)


def _some_customer_has_more_than(limit: int, told: pl.DataFrame) -> bool:
    per_customer = told.group_by("customer_id", "timezone").len()
    return not per_customer.filter(pl.col("len") > limit).is_empty()
