"""What picks are made of: scored products, the past, the shelf, prices seen, what goes together."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from features.history import category_of
from serving.tables import KEY
from training.model.model import Model


@dataclass(frozen=True)
class Sources:
    """What picks are made of.

    `items`: the scores of products, `seen`: prices seen (features.prices), `shelf`: PRODUCTS, of
    which only what is available counts; `affinity`: the model that knows what goes together.
    """

    items: pl.DataFrame
    history: pl.DataFrame
    shelf: pl.DataFrame
    seen: pl.DataFrame
    affinity: Model | None
    category_depth: int
    currency: str
    due_share: float
    recently_bought_days: float

    def is_due(self) -> pl.Expr:
        return (pl.col("due_ratio") >= self.due_share).fill_null(False) & pl.col("own")

    def scored(self, lists: pl.DataFrame) -> pl.LazyFrame:
        """The scored products of each list."""
        lately = (pl.col("days_since_order") < self.recently_bought_days).fill_null(False)
        return (
            lists.lazy()
            .join(self.items.lazy(), on=KEY)
            .with_columns(rested=~lately | self.is_due())
        )

    def past(self, lists: pl.DataFrame, *kinds: str) -> pl.LazyFrame:
        """Events of these kinds, by list, with their `age`."""
        return (
            self.history.lazy()
            .filter(pl.col("kind").is_in(kinds))
            .join(lists.lazy(), on="customer_id")
            .filter(pl.col("at") < pl.col("as_of"), pl.col("known_at") <= pl.col("as_of"))
            .with_columns(age=pl.col("as_of") - pl.col("at"))
        )

    def on_shelf(self, *columns: str) -> pl.LazyFrame:
        """Available products, with their `category` cut to the depth that categories have here."""
        return (
            self.shelf.lazy()
            .filter("available")
            .select(
                "product_id",
                *columns,
                category=category_of("category", depth=self.category_depth),
            )
        )
