"""At which local hour a customer acted next, and which sends were clicked."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from features.contracts import OWN_KINDS
from features.localtime import timezones_of, with_local

HUMAN = ~pl.col("machine").fill_null(False)


def acts_after(
    history: pl.DataFrame,
    spine: pl.DataFrame,
    customers: pl.DataFrame,
    *,
    horizon: timedelta,
    known_until: datetime,
    default_timezone: str,
) -> pl.DataFrame:
    """`customer_id`, `as_of`, `at`, `weekend`, `hour`: own acts in [as_of, as_of + horizon).

    One row per act, in order of time; an order is one act however many lines it has. Rows of the
    spine whose horizon ends after `known_until` are refused: "nothing yet" is not "nothing".
    """
    unripe = spine.filter(pl.col("as_of") + horizon > known_until).height
    if unripe:
        raise ValueError(f"the horizon of {unripe} rows ends after {known_until}; leave them out")
    acts = (
        history.filter(pl.col("kind").is_in(OWN_KINDS), HUMAN, pl.col("known_at") <= known_until)
        .group_by("customer_id", "kind", act=pl.coalesce("order_id", "event_id"))
        .agg(pl.col("at").min())
        .drop("act")
    )
    zoned = timezones_of(customers, spine.select("customer_id", "as_of"), default_timezone)
    after = zoned.join(acts, on="customer_id").filter(
        pl.col("at") >= pl.col("as_of"), pl.col("at") < pl.col("as_of") + horizon
    )
    return (
        _with_slot(after, default_timezone)
        .sort("customer_id", "as_of", "at", "kind")
        .select("customer_id", "as_of", "at", "weekend", "hour")
    )


def clicks_after_sends(
    history: pl.DataFrame,
    customers: pl.DataFrame,
    *,
    window: timedelta,
    known_until: datetime,
    default_timezone: str,
) -> pl.DataFrame:
    """One row per send whose window is over: `customer_id`, `as_of`, `weekend`, `hour`, `clicked`.

    `as_of` is the moment of the send, whose local hour the row is about. A human click counts for
    the newest send of the same e-mail before it, if that was less than `window` ago; opens never
    count, since proxies open everything within minutes.
    """
    known = history.filter(pl.col("known_at") <= known_until).with_columns(
        pl.col("email").fill_null("")
    )
    sends = (
        known.filter(pl.col("kind") == "send", pl.col("at") + window <= known_until)
        .select("customer_id", "email", as_of="at")
        .unique()
        .sort("as_of")
    )
    clicks = known.filter(pl.col("kind") == "click", HUMAN).select("customer_id", "email", "at")
    clicked = (
        clicks.sort("at")
        .join_asof(
            sends.with_columns(sent_at="as_of"),
            left_on="at",
            right_on="as_of",
            by=["customer_id", "email"],
            strategy="backward",
            check_sortedness=False,  # both sides were just sorted
        )
        .filter(pl.col("at") < pl.col("sent_at") + window)
        .select("customer_id", "email", as_of="sent_at", clicked=pl.lit(1.0))
        .unique()
    )
    zoned = timezones_of(customers, sends, default_timezone).with_columns(at="as_of")
    return (
        _with_slot(zoned, default_timezone)
        .join(clicked, on=["customer_id", "email", "as_of"], how="left")
        .group_by("customer_id", "as_of", "weekend", "hour")
        .agg(pl.col("clicked").max().fill_null(0.0))
        .sort("as_of", "customer_id")
    )


def _with_slot(frame: pl.DataFrame, default_timezone: str) -> pl.DataFrame:
    """Add `weekend` and `hour` of `at` by the customer's own clock."""
    local = pl.col("local_at").dt
    return with_local(frame, "at", zone_column="timezone", default=default_timezone).with_columns(
        weekend=local.weekday() >= 6, hour=local.hour()
    )
