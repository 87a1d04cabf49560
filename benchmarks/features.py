"""Features of all customers at some dates, beside a query written by hand for ten of them."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import polars as pl

from features.build import features_as_of
from features.catalog import CATALOG
from features.history import to_history
from pipelines.installation import Installation
from training.snapshots import spine_of

DATES = 6
REPEATS = 3


def run(onje: Installation) -> dict[str, Any]:
    """Seconds and rows of the spine per second, the best of some repeats each, in turn."""
    settings = onje.settings.features
    history = to_history(onje.lake.read("events"), onje.lake.read("products"), settings=settings)
    customers = onje.lake.read("customers")
    newest = history["at"].max()
    spine = spine_of(history, [newest - timedelta(days=28 * back) for back in range(DATES)])
    ours, by_hand = [], []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        features_as_of(history, spine, customers, settings=settings)
        ours.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        _ten_features_by_hand(history, spine)
        by_hand.append(time.perf_counter() - begun)
    return {
        "events": history.height,
        "rows": spine.height,
        "features": len(CATALOG),
        "seconds": min(ours),
        "rows_per_second": spine.height / min(ours),
        "by_hand_features": 10,
        "by_hand_seconds": min(by_hand),
        "by_hand_rows_per_second": spine.height / min(by_hand),
    }


def _ten_features_by_hand(history: pl.DataFrame, spine: pl.DataFrame) -> pl.DataFrame:
    """What somebody in a hurry would write: no second clock, no cap, no duplicates, ten values."""
    orders = history.lazy().filter(pl.col("kind") == "order")
    age_days = (pl.col("as_of") - pl.col("at")).dt.total_seconds() / 86_400
    spend = pl.col("amount").cast(pl.Float64)
    return (
        spine.lazy()
        .join(orders, on="customer_id")
        .with_columns(age_days=age_days)
        .filter(pl.col("age_days") > 0)
        .group_by("customer_id", "as_of")
        .agg(
            pl.col("order_id").n_unique().alias("orders"),
            pl.col("order_id").filter(pl.col("age_days") <= 30).n_unique().alias("orders_30d"),
            pl.col("order_id").filter(pl.col("age_days") <= 90).n_unique().alias("orders_90d"),
            spend.filter(pl.col("age_days") <= 30).sum().alias("spend_30d"),
            spend.filter(pl.col("age_days") <= 90).sum().alias("spend_90d"),
            spend.sum().alias("spend"),
            pl.col("age_days").min().alias("days_since_order"),
            pl.col("product_id").n_unique().alias("products"),
            pl.col("category").n_unique().alias("categories"),
            (pl.col("discount").cast(pl.Float64) > 0).mean().alias("discount_share"),
        )
        .collect()
    )


def table(measured: dict[str, Any]) -> str:
    """The figures as a markdown table."""
    ratio = measured["rows_per_second"] / measured["by_hand_rows_per_second"]
    per_value = ratio * measured["features"] / measured["by_hand_features"]
    return "\n".join(
        [
            "| what | values | seconds | rows per second | ratio | ratio per value |",
            "|---|---|---|---|---|---|",
            f"| features_as_of | {measured['features']} | {measured['seconds']:.1f} "
            f"| {measured['rows_per_second']:,.0f} | {ratio:.2f} | {per_value:.2f} |",
            f"| by hand, one clock | {measured['by_hand_features']} "
            f"| {measured['by_hand_seconds']:.1f} "
            f"| {measured['by_hand_rows_per_second']:,.0f} | 1 | 1 |",
        ]
    )
