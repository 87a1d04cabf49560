"""What a customer has to do with each item, be it a product or a category."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

import polars as pl

from features.feature import DAY, MONEY, happened, per, within
from features.past import Past, past_of, portions
from features.settings import FeatureSettings
from features.tables import CUSTOMERS
from features.views import WEIGHT, items_of

Item: TypeAlias = Literal["category", "product_id"]

# Days and counts know no time zone, so nobody needs to be asked for one.
_NOBODY = CUSTOMERS.schema.create_empty()


def items_as_of(
    history: pl.DataFrame, spine: pl.DataFrame, *, item: Item, settings: FeatureSettings
) -> pl.DataFrame:
    """Long: one row per item a customer has ordered, viewed or put into a cart before `as_of`.

    customer_id, as_of, item, orders_28d, orders_91d, orders_365d, views_28d, carts_28d,
    weight_30d and weight_120d (orders, each fading with that half-life),
    days_since_order, days_since_view, gap_days (own mean days between orders with it), due_ratio
    (days_since_order in units of gap_days), share_365d (of the customer's orders within a year
    those that hold it), quantity_365d, spend_365d (null where it was ordered and no amount is
    known). Sorted by spine row, then item.
    """
    portion_by_portion = [
        habits_of(
            past_of(
                history,
                portion,
                _NOBODY,
                default_timezone=settings.default_timezone,
                limit=settings.newest_events,
            ),
            item=item,
        )
        for portion in portions(history, spine)
    ]
    return pl.concat(portion_by_portion)


def habits_of(past: Past, *, item: Item) -> pl.DataFrame:
    """`items_as_of` for a past that is there already."""
    lines = past.lines.lazy()
    own_orders = (
        lines.filter(happened("order"))
        .group_by("row", "order_id")
        .agg(pl.col("age").max())
        .group_by("row")
        .agg(own_orders_365d=within(365).sum().cast(pl.Float64))
    )
    last, first = pl.col("last_order"), pl.col("first_order")
    gaps = (pl.col("orders") - 1).cast(pl.Float64)
    return (
        items_of(lines, item)
        .join(own_orders, on="row", how="left")
        .join(past.rows.lazy().select("row", "customer_id", "as_of"), on="row")
        .with_columns(
            pl.col("orders_28d", "orders_91d", "orders_365d", "views_28d", "carts_28d").cast(
                pl.Float64
            ),
            days_since_order=per(last, DAY),
            days_since_view=per(pl.col("last_view"), DAY),
            gap_days=pl.when((pl.col("orders") > 1) & (first > last)).then(
                per(first - last, DAY) / gaps
            ),
            weight_30d=per(pl.col("weight_30d"), WEIGHT),
            weight_120d=per(pl.col("weight_120d"), WEIGHT),
            quantity_365d=per(pl.col("quantity_365d"), 1_000),
            spend_365d=per(pl.col("spend_365d"), MONEY),
        )
        .with_columns(
            due_ratio=pl.col("days_since_order") / pl.col("gap_days"),
            share_365d=pl.when(pl.col("own_orders_365d") > 0)
            .then(pl.col("orders_365d") / pl.col("own_orders_365d"))
            .otherwise(0.0),
        )
        .sort("row", item)
        .select(
            "customer_id",
            "as_of",
            pl.col(item).alias("item"),
            "orders_28d",
            "orders_91d",
            "orders_365d",
            "views_28d",
            "carts_28d",
            "weight_30d",
            "weight_120d",
            "days_since_order",
            "days_since_view",
            "gap_days",
            "due_ratio",
            "share_365d",
            "quantity_365d",
            "spend_365d",
        )
        .collect()
    )


def popularity_as_of(
    history: pl.DataFrame, as_of: datetime, *, item: Item, days: int
) -> pl.DataFrame:
    """item, customers, orders, rank: what was ordered by how many within `days` before `as_of`.

    Rank 1 is the item ordered by most customers; of equals the one in more orders, then by name.
    """
    is_visible = (pl.col("at") < as_of) & (pl.col("known_at") <= as_of)
    return (
        history.lazy()
        .filter(
            pl.col("kind") == "order",
            is_visible,
            pl.lit(as_of) - pl.col("at") <= pl.duration(days=days),
            pl.col(item).is_not_null(),
        )
        .group_by(pl.col(item).alias("item"))
        .agg(
            customers=pl.col("customer_id").n_unique(),
            orders=pl.struct("customer_id", "order_id").n_unique(),
        )
        .sort("customers", "orders", "item", descending=[True, True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32))
        .collect()
    )
