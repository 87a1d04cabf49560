"""Events made ready for features: one currency, the product's category, no more than is needed."""

from __future__ import annotations

import polars as pl

from features.contracts import ALWAYS_KEPT
from features.settings import FeatureSettings
from features.tables import HISTORY

CATEGORY_SEPARATOR = " > "


def to_history(
    events: pl.DataFrame, products: pl.DataFrame, *, settings: FeatureSettings
) -> pl.DataFrame:
    """HISTORY rows of EVENTS rows, in their order.

    `category` is the first `category_depth` parts of the product's path. Money in another than
    the base currency becomes null, which means unknown: it is never added as if it were equal.
    """
    is_ours = (pl.col("currency") == settings.base_currency).fill_null(False)
    categories = products.select(
        "product_id", category=category_of("category", depth=settings.category_depth)
    ).unique("product_id", keep="first", maintain_order=True)
    return (
        events.lazy()
        .join(categories.lazy(), on="product_id", how="left", maintain_order="left")
        .with_columns(
            pl.when(is_ours).then("amount").alias("amount"),
            pl.when(is_ours).then("discount").alias("discount"),
        )
        .select(HISTORY.columns)
        .collect()
    )


def category_of(column: str, *, depth: int) -> pl.Expr:
    """The first `depth` parts of a category path "A > B > C"; a shorter path stays as it is."""
    parts = pl.col(column).str.split(CATEGORY_SEPARATOR).list.head(depth)
    return parts.list.join(CATEGORY_SEPARATOR)


def newest(history: pl.DataFrame, limit: int) -> pl.DataFrame:
    """The newest `limit` events of each customer by (at, event_id), in the order given.

    What decides whether mail is allowed, sends among it, is kept however old it is. Cutting twice,
    with events arriving in between, gives the same as cutting once at the end.
    """
    crowded = (
        history.group_by("customer_id").len().filter(pl.col("len") > limit).select("customer_id")
    )
    if crowded.is_empty():
        return history
    numbered = history.with_row_index("place")
    older = (
        numbered.join(crowded, on="customer_id", how="semi")
        .sort("customer_id", "at", "event_id", descending=[False, True, True])
        .filter(
            pl.int_range(pl.len()).over("customer_id") >= limit,
            ~pl.col("kind").is_in(ALWAYS_KEPT),
        )
    )
    return numbered.join(older.select("place"), on="place", how="anti", maintain_order="left").drop(
        "place"
    )
