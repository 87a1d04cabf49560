"""What customers ordered after a moment."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from features.touched import Item


def ordered_after(
    history: pl.DataFrame,
    spine: pl.DataFrame,
    *,
    item: Item,
    horizon: timedelta,
    known_until: datetime,
) -> pl.DataFrame:
    """`customer_id`, `as_of`, `item`: each item ordered in [as_of, as_of + horizon), once, sorted.

    A horizon that ends after `known_until` is refused (ValueError): "not yet ordered" is not "no".
    """
    unripe = spine.filter(pl.col("as_of") + horizon > known_until).height
    if unripe:
        raise ValueError(f"the horizon of {unripe} rows ends after {known_until}; leave them out")
    orders = history.filter(
        pl.col("kind") == "order", pl.col("known_at") <= known_until, pl.col(item).is_not_null()
    ).select("customer_id", "at", item=item)
    return (
        spine.select("customer_id", "as_of")
        .join(orders, on="customer_id")
        .filter(pl.col("at") >= pl.col("as_of"), pl.col("at") < pl.col("as_of") + horizon)
        .select("customer_id", "as_of", "item")
        .unique()
        .sort("customer_id", "as_of", "item")
    )
