"""The past of a spine row from three sides: by act, by product and by category."""

from __future__ import annotations

from typing import Literal

import polars as pl

from features.cart import is_in_cart
from features.feature import DAY, happened, per, within

_MINUTE = 60_000_000
# What an order made this moment weighs: integers, so that sums are the same in any order.
WEIGHT = 1_000_000


def faded(half_life_days: int) -> pl.Expr:
    """The weight of an order, in units of 1 / WEIGHT: half of it is gone after the half-life."""
    half_lives = per(pl.col("age").cast(pl.Float64), DAY * half_life_days)
    return (WEIGHT * pl.lit(0.5).pow(half_lives)).round().cast(pl.Int64)


def acts_of(lines: pl.LazyFrame) -> pl.LazyFrame:
    """One line per act: an order with all its lines is one act, any other event is one.

    Added to the columns of the past: `lines`, `gap_minutes` (from the order before, orders only),
    `next_order_age`, `in_cart` (whether it was put into the open cart; null for orders).
    """
    is_order = happened("order")
    orders = (
        lines.filter(is_order)
        .group_by("row", "order_id")
        .agg(
            pl.col("age").max(),
            pl.col("moment").min(),
            pl.col("kind").first(),
            pl.col("channel").min_by("moment"),
            pl.col("is_own").all(),
            # Null, rather than nothing, where no line has a price in the base currency.
            pl.when(pl.col("amount").is_not_null().any()).then(pl.col("amount").sum()),
            pl.col("discount").sum(),
            pl.col("coupon").min(),
            pl.col("payment").min(),
            pl.col("local_day", "local_hour", "is_weekend", "clock_east", "clock_north").min_by(
                "moment"
            ),
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


def items_of(lines: pl.LazyFrame, item: Literal["category", "product_id"]) -> pl.LazyFrame:
    """One line per item of a row: how often and how lately ordered, viewed, put into a cart.

    Columns: row, the item, orders (all that are kept), orders_28d, _91d, _365d, weight_30d, _120d
    (see `faded`), views_7d, _28d, _30d, carts_28d, first_order, last_order, last_view (ages),
    order_moment, view_moment, quantity_365d, spend_365d (null where ordered, but no amount is
    known), and `category` of a product. Two lines of one order with the same item are one order.
    """
    is_order = happened("order")
    per_order = (
        lines.filter(pl.col(item).is_not_null(), happened("order", "view", "cart_add"))
        .group_by("row", item, pl.when(is_order).then("order_id").alias("order_id"))
        .agg(
            order_age=pl.when(is_order).then("age").min(),
            order_moment=pl.when(is_order).then("moment").max(),
            view_age=pl.when(happened("view")).then("age").min(),
            view_moment=pl.when(happened("view")).then("moment").max(),
            views_7d=happened("view", days=7).sum(),
            views_28d=happened("view", days=28).sum(),
            views_30d=happened("view", days=30).sum(),
            carts_28d=happened("cart_add", days=28).sum(),
            quantity_365d=pl.when(happened("order", days=365)).then("quantity").sum(),
            spend_365d=pl.when(happened("order", days=365)).then("amount").sum(),
            priced_365d=happened("order", days=365, where=pl.col("amount").is_not_null()).sum(),
        )
        .rename({"order_age": "age"})
    )
    items = per_order.group_by("row", item).agg(
        pl.col("age").is_not_null().sum().alias("orders"),
        within(28).sum().alias("orders_28d"),
        within(91).sum().alias("orders_91d"),
        within(365).sum().alias("orders_365d"),
        faded(30).sum().alias("weight_30d"),
        faded(120).sum().alias("weight_120d"),
        pl.col("age").max().alias("first_order"),
        pl.col("age").min().alias("last_order"),
        pl.col("view_age").min().alias("last_view"),
        pl.col("order_moment", "view_moment").max(),
        pl.col(
            "views_7d", "views_28d", "views_30d", "carts_28d", "quantity_365d", "spend_365d"
        ).sum(),
        pl.col("priced_365d").sum(),
    )
    is_known = (pl.col("priced_365d") > 0) | (pl.col("orders_365d") == 0)
    return items.with_columns(spend_365d=pl.when(is_known).then("spend_365d")).drop("priced_365d")
