"""At which prices a customer saw products lately."""

from __future__ import annotations

import polars as pl

from features.feature import DAY, MONEY, happened, per
from features.past import Past

SEEN_DAYS = 30


def prices_seen_of(past: Past) -> pl.DataFrame:
    """Long: one row per product that was viewed or put into a cart with a price, within SEEN_DAYS.

    customer_id, as_of, product_id, `price_seen` (for one piece, in the base currency, when it was
    last seen with a price) and `price_seen_days`, how many days ago that was.
    """
    seen = past.lines.filter(
        happened("view", "cart_add", days=SEEN_DAYS),
        pl.col("product_id").is_not_null(),
        pl.col("amount") > 0,
        pl.col("quantity") > 0,
    )
    if seen.is_empty():  # the usual case: few sources tell the price of what is looked at
        return past.rows.clear().select(
            "customer_id", "as_of", product_id=pl.lit(None, pl.String),
            price_seen=pl.lit(None, pl.Float64), price_seen_days=pl.lit(None, pl.Float64),
        )  # fmt: skip
    thousandths = pl.col("amount") * 1_000 / pl.col("quantity")
    return (
        seen.sort("row", "product_id", "moment")
        .unique(["row", "product_id"], keep="last", maintain_order=True)
        .join(past.rows.select("row", "customer_id", "as_of"), on="row", maintain_order="left")
        .select(
            "customer_id",
            "as_of",
            "product_id",
            price_seen=per(thousandths, MONEY).round(4),
            price_seen_days=per(pl.col("age"), DAY),
        )
    )
