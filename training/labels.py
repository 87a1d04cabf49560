"""What happened after a moment: the truth that models learn to foresee."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl


def churned(
    history: pl.DataFrame, spine: pl.DataFrame, *, horizon: timedelta, known_until: datetime
) -> pl.DataFrame:
    """`customer_id`, `as_of` and `churned`: no order in [as_of, as_of + horizon); rows as given.

    Null where the horizon ends after `known_until`: not yet known is not "no".
    """
    orders = (
        history.filter(pl.col("kind") == "order", pl.col("known_at") <= known_until)
        .select("customer_id", next_order_at="at")
        .unique()
        .sort("next_order_at")
    )
    next_orders = (
        spine.select("customer_id", "as_of")
        .unique()
        .sort("as_of")
        .join_asof(
            orders,
            left_on="as_of",
            right_on="next_order_at",
            by="customer_id",
            strategy="forward",
            check_sortedness=False,  # both sides were just sorted
        )
    )
    is_known = pl.col("as_of") + horizon <= known_until
    came_back = (pl.col("next_order_at") < pl.col("as_of") + horizon).fill_null(False)
    return spine.join(
        next_orders, on=["customer_id", "as_of"], how="left", maintain_order="left"
    ).select("customer_id", "as_of", churned=pl.when(is_known).then(~came_back))
