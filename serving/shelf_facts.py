"""What the shelf says to a customer: something new where they look, something cheaper than it was.

Prices are those of the base currency only; a price in another one says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from features.feature import DAY, per
from features.prices import SEEN_DAYS
from features.shelf import new_products
from serving.tables import KEY

# A product is news to a customer for so long: a season. The ranking model calls new what is younger
# than 28 days, since only so long its own orders are too few to rank it by.
NEW_DAYS = 90

SHELF_FACTS: Mapping[str, pl.DataType] = dict.fromkeys(
    (
        "new_viewed_days", "new_favourite_days",
        "price_drop", "price_seen", "price_now", "price_seen_days",
    ),
    pl.Float64(),
)  # fmt: skip

MEANINGS = {
    "new_viewed_days": f"days since the newest product (of {NEW_DAYS} days) of the category viewed "
    "most within 30 days came out",
    "new_favourite_days": f"days since the newest product (of {NEW_DAYS} days) of the favourite "
    "category came out",
    "price_drop": "by which share of its price a product is cheaper now than when they last "
    f"viewed it or put it into a cart, within {SEEN_DAYS} days: the biggest drop",
    "price_seen": "the price of that product then",
    "price_now": "the price of that product now",
    "price_seen_days": "days since they saw that price",
}


def with_shelf_facts(
    people: pl.DataFrame,
    seen: pl.DataFrame,
    shelf: pl.DataFrame,
    *,
    category_depth: int,
    currency: str,
) -> pl.DataFrame:
    """Add SHELF_FACTS to `people` (KEY, viewed_category_30d, favourite_category), in its order.

    `seen`: prices seen, of features.prices; `shelf`: PRODUCTS. Null where there is no such thing.
    """
    new = new_products(shelf, category_depth=category_depth)
    people = people.with_columns(
        _newest(people, new, of).alias(name)
        for name, of in (
            ("new_viewed_days", "viewed_category_30d"),
            ("new_favourite_days", "favourite_category"),
        )
    )
    if seen.is_empty():  # the usual case: few sources tell the price of what is looked at
        return people.with_columns(_NO_DROP)
    best = (
        dropped(seen, shelf, currency=currency)
        .sort(*KEY, "rank")
        .unique(KEY, keep="first", maintain_order=True)
        .select(*KEY, "price_drop", "price_seen", "price_now", "price_seen_days")
    )
    return people.join(best, on=KEY, how="left", maintain_order="left")


_NO_DROP = tuple(
    pl.lit(None, pl.Float64).alias(name)
    for name in ("price_drop", "price_seen", "price_now", "price_seen_days")
)


def _newest(people: pl.DataFrame, new: pl.DataFrame, of: str) -> pl.Series:
    """Days since the newest product of the category in column `of` came out."""
    if new.is_empty():
        return pl.Series(of, [None], pl.Float64).new_from_index(0, people.height)
    asked = people.select("as_of", category=of).with_row_index("place")
    found = (
        asked.lazy()
        .join(new.lazy(), on="category")
        .with_columns(age=pl.col("as_of") - pl.col("released_at"))
        .filter(pl.col("age") >= pl.duration(), pl.col("age") <= pl.duration(days=NEW_DAYS))
        .group_by("place")
        .agg(days=pl.col("age").min().dt.total_microseconds())
        .collect()
    )
    return (
        asked.join(found, on="place", how="left", maintain_order="left")
        .select(per(pl.col("days"), DAY))
        .to_series()
    )


def dropped(seen: pl.DataFrame, shelf: pl.DataFrame, *, currency: str) -> pl.DataFrame:
    """Of the prices seen those that are lower now, ranked by how much lower.

    KEY, product_id, price_seen, price_seen_days, price_now, price_drop, rank (from 1).
    """
    now = shelf.filter(
        pl.col("product_id").is_in(seen.get_column("product_id").unique().implode()),
        "available",
        (pl.col("currency") == currency).fill_null(False),
    ).select("product_id", price_now=pl.col("price").cast(pl.Float64))
    return (
        seen.join(now, on="product_id")
        .filter(pl.col("price_now") < pl.col("price_seen"))
        .with_columns(
            price_drop=((pl.col("price_seen") - pl.col("price_now")) / pl.col("price_seen")).round(
                6
            )
        )
        .sort(*KEY, "price_drop", "product_id", descending=[False, False, True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over(KEY))
    )
