"""What a customer has to do with each item, be it a product or a category."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.feature import DAY, MONEY
from features.past import Past, past_of, portions
from features.settings import FeatureSettings
from features.tables import CUSTOMERS
from features.touched import WEIGHT, Item, items_of, orders_of_a_year

COUNTED = ("orders_28d", "orders_91d", "orders_365d", "views_28d", "carts_28d")

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
    items = items_of(past, item)
    row = items.get_column("row").to_numpy()
    last, first, viewed, orders, spend = (
        items.get_column(name).cast(pl.Float64).to_numpy()
        for name in ("last_order", "first_order", "last_view", "orders", "spend_365d")
    )
    since_order, orders_365d = last / DAY, items.get_column("orders_365d").to_numpy()
    own = orders_of_a_year(past)[row]
    with np.errstate(divide="ignore", invalid="ignore"):
        has_gap = (orders > 1) & (first > last)
        gap = np.where(has_gap, (first - last) / DAY / (orders - 1), np.nan)
        share = np.where(own > 0, orders_365d / own, 0.0)
        due = since_order / gap
    spine = past.rows.select("customer_id", "as_of")
    return spine[row].with_columns(
        items.get_column(item).alias("item"),
        *(items.get_column(name).cast(pl.Float64) for name in COUNTED),
        *(
            pl.Series(name, items.get_column(name).to_numpy() / WEIGHT)
            for name in ("weight_30d", "weight_120d")
        ),
        _nullable("days_since_order", since_order),
        _nullable("days_since_view", viewed / DAY),
        _nullable("gap_days", gap),
        _nullable("due_ratio", due),
        pl.Series("share_365d", share),
        pl.Series("quantity_365d", items.get_column("quantity_365d").to_numpy() / 1_000),
        _nullable("spend_365d", spend / MONEY),
    )


def _nullable(name: str, numbers: NDArray[np.float64]) -> pl.Series:
    return pl.Series(name, numbers, nan_to_null=True)


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
