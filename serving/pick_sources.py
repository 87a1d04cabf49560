"""What picks are made of: scored products, the past, the shelf, prices seen, what goes together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from serving.stock import Stock, stock_of
from serving.tables import KEY
from serving.whose import WHOSE, begins_of
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

    @cached_property
    def stock(self) -> Stock:
        """What of the shelf is available."""
        return stock_of(self.shelf, depth=self.category_depth)

    def is_due(self) -> pl.Expr:
        return (pl.col("due_ratio") >= self.due_share).fill_null(False) & pl.col("own")

    def scored(self, lists: pl.DataFrame) -> pl.LazyFrame:
        """The scored products of each list."""
        return self.scored_now(lists).lazy()

    def scored_now(self, lists: pl.DataFrame) -> pl.DataFrame:
        """The same, there already: list, about, item, probability, rank, due, rested, place."""
        spans = self._spans
        found = [spans.get(key, (0, 0)) for key in lists.select(WHOSE).iter_rows()]
        first, length = np.array(found, dtype=np.int64).reshape(-1, 2).T
        place = np.repeat(np.arange(len(found)), length)
        row = np.arange(len(place)) - np.repeat(np.cumsum(length) - length - first, length)
        of_list = lists.select("list", "about")[place]
        return of_list.hstack(self._judged[row].get_columns())

    @cached_property
    def _judged(self) -> pl.DataFrame:
        """The scored products, with `due` and `rested`: not ordered lately, unless due again.

        `place` is theirs in the stock.
        """
        lately = (pl.col("days_since_order") < self.recently_bought_days).fill_null(False)
        is_due = self.is_due()
        judged = self._by_key.select(
            "item", "probability", "rank", due=is_due, rested=~lately | is_due
        )
        place = self.stock.places_of(judged.get_column("item").to_list())
        return judged.hstack([pl.Series("place", place, pl.Int64)])

    @cached_property
    def _by_key(self) -> pl.DataFrame:
        """The scored products, those of each customer and moment beside each other.

        Models leave them so; own habits, which stand in for models, need not.
        """
        first = begins_of(self.items)
        if len(first) > self.items.select(WHOSE)[first].n_unique():
            return self.items.sort(KEY, maintain_order=True)
        return self.items

    @cached_property
    def _spans(self) -> Mapping[tuple[str, int], tuple[int, int]]:
        """Where the scored products of each customer and moment begin, and how many there are."""
        first = begins_of(self._by_key)
        length = np.diff(np.append(first, self._by_key.height))
        keys: Iterable[tuple[str, int]] = self._by_key.select(WHOSE)[first].iter_rows()
        return dict(zip(keys, zip(first.tolist(), length.tolist(), strict=True), strict=True))

    def past(self, lists: pl.DataFrame, *kinds: str) -> pl.LazyFrame:
        """Events of these kinds, by list, with their `age`."""
        return (
            self.history.lazy()
            .filter(pl.col("kind").is_in(kinds))
            .join(lists.lazy(), on="customer_id")
            .filter(pl.col("at") < pl.col("as_of"), pl.col("known_at") <= pl.col("as_of"))
            .with_columns(age=pl.col("as_of") - pl.col("at"))
        )

    def on_shelf(self, categories: pl.Series) -> pl.LazyFrame:
        """Available products of these categories, each cut to the depth that they have here."""
        return self.stock.among(categories.unique()).lazy()
