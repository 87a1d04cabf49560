"""The past of a spine row act by act; for items see features.touched."""

from __future__ import annotations

import polars as pl

from features.cart import is_in_cart
from features.feature import happened

_MINUTE = 60_000_000


def acts_of(lines: pl.LazyFrame) -> pl.LazyFrame:
    """One line per act: an order with all its lines is one act, any other event is one.

    Added to the columns of the past: `lines`, `gap_minutes` (from the order before, orders only),
    `next_order_age`, `in_cart` (whether it was put into the open cart; null for orders).
    """
    is_order = happened("order")
    orders = (
        lines.filter(is_order)
        .group_by("row", "order_id_number")
        .agg(
            pl.col("age").max(),
            pl.col("moment").min(),
            pl.col("kind").first(),
            # Lines come by moment, so the first one of an order is its earliest.
            pl.col("channel").first(),
            pl.col("is_own").all(),
            # Null, rather than nothing, where no line has a price in the base currency.
            pl.when(pl.col("amount").is_not_null().any()).then(pl.col("amount").sum()),
            pl.col("discount").sum(),
            pl.col("coupon").min(),
            pl.col("payment").min(),
            pl.col("local_day", "local_hour", "is_weekend", "clock_east", "clock_north").first(),
            lines=pl.len().cast(pl.Int64),
        )
        .with_columns(
            gap_minutes=(pl.col("age").shift(1) - pl.col("age")).over("row", order_by="moment")
            // _MINUTE
        )
    )
    others = lines.with_columns(in_cart=is_in_cart("row")).filter(~is_order)
    return pl.concat([orders, others], how="diagonal").with_columns(
        next_order_age=pl.when(is_order).then("age").backward_fill().over("row", order_by="moment")
    )
