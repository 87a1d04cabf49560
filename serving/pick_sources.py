"""What picks are made of: scored products, the past, the shelf, prices seen, what goes together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.contracts import KINDS
from features.feature import DAY
from serving.stock import NOWHERE, Places, Stock, stock_of
from serving.tables import KEY
from serving.whose import begins_of, keys_of, only
from training.model.model import Model

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Spans: TypeAlias = list[tuple[int, int]]

_ORDER = KINDS.index("order")
_NONE = (0, 0)


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

    @cached_property
    def scored(self) -> Scored:
        """The scored products of all customers, those of each customer and moment together."""
        items = self.items
        first = begins_of(items)
        # Models leave them so; own habits, which stand in for models, need not.
        if len(first) > len(set(keys_of(only(items, KEY)[first]))):
            items = items.sort(KEY, maintain_order=True)
            first = begins_of(items)
        due = ((pl.col("due_ratio") >= self.due_share) & pl.col("own")).fill_null(False)
        lately = (pl.col("days_since_order") < self.recently_bought_days).fill_null(False)
        flags = items.select(due=due, rested=~lately | due)
        length = np.diff(np.append(first, items.height))
        keys = keys_of(only(items, KEY)[first])
        return Scored(
            place=self.stock.places_of(items.get_column("item").to_list()),
            chance=items.get_column("probability").cast(pl.Float64).to_numpy(),
            rank=items.get_column("rank").to_numpy(),
            due=flags.get_column("due").to_numpy(),
            rested=flags.get_column("rested").to_numpy(),
            spans=dict(zip(keys, zip(first.tolist(), length.tolist(), strict=True), strict=True)),
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

    def orders_of(self, lists: pl.DataFrame) -> tuple[Places, Places, Places]:
        """Lines of orders: the place of each one's list in `lists`, its row, and when it was.

        Those of a list lie together, by its place.
        """
        lines = self._orders
        spans = [lines.spans.get(name, _NONE) for name in lists.get_column("customer_id").to_list()]
        whose, place = within(spans)
        as_of = lists.get_column("as_of").cast(pl.Int64).to_numpy()[whose]
        is_past = (lines.at[place] < as_of) & (lines.known_at[place] <= as_of)
        whose, place = whose[is_past], place[is_past]
        return whose, lines.row[place], lines.at[place]

    def has_rested(self, lists: pl.DataFrame, whose: Places, place: Places) -> Flags:
        """Of each offer, by list and place in the stock: whether it was not ordered lately.

        That is, within the days for which one does not offer again.
        """
        of_list, row, at = self.orders_of(lists)
        as_of = lists.get_column("as_of").cast(pl.Int64).to_numpy()
        lately = as_of[of_list] - at < round(DAY * self.recently_bought_days)
        names = self.history.get_column("product_id")[row[lately]].to_list()
        ordered = self.keys(of_list[lately], self.stock.places_of(names))
        return ~np.isin(self.keys(whose, place), ordered)

    def keys(self, whose: Places, place: Places) -> Places:
        """One number for each list and place in the stock; what is nowhere is the same to all."""
        keys: Places = np.where(
            place == NOWHERE, NOWHERE, whose * self.stock.products.height + place
        )
        return keys

    def on_shelf(self, categories: pl.Series) -> pl.LazyFrame:
        """Available products of these categories, each cut to the depth that they have here."""
        return self.stock.among(categories.unique()).lazy()

    @cached_property
    def _orders(self) -> _Lines:
        kind = self.history.get_column("kind").to_physical().to_numpy()
        row = np.flatnonzero(kind == _ORDER)
        customers = self.history.get_column("customer_id")[row]
        first = np.flatnonzero(customers.ne_missing(customers.shift()).to_numpy())
        names = customers[first].to_list()
        length = np.diff(np.append(first, len(row)))
        if len(set(names)) < len(names):  # theirs do not lie together
            number = {name: place for place, name in enumerate(dict.fromkeys(names))}
            whose = np.repeat([number[name] for name in names], length)
            row = row[np.argsort(whose, kind="stable")]
            length = np.bincount(whose)
            names, first = list(number), np.cumsum(length) - length
        at, known_at = (
            self.history.get_column(name).cast(pl.Int64).to_numpy()[row]
            for name in ("at", "known_at")
        )
        spans = zip(first.tolist(), length.tolist(), strict=True)
        return _Lines(row, at, known_at, dict(zip(names, spans, strict=True)))


@dataclass(frozen=True, eq=False)
class Scored:
    """Scored products, `place` in the stock, `chance` of an order (NaN: no model says one).

    `rested`: not ordered lately, unless due again. `spans`: where those of each customer and moment
    begin, and how many there are.
    """

    place: Places
    chance: Floats
    rank: Places
    due: Flags
    rested: Flags
    spans: Mapping[tuple[str, int], tuple[int, int]]

    def of(self, lists: pl.DataFrame) -> tuple[Places, Places]:
        """The place of each one's list in `lists`, and its row here, by list."""
        return within([self.spans.get(key, _NONE) for key in keys_of(lists)])


@dataclass(frozen=True, eq=False)
class _Lines:
    """Lines of the history, those of a customer together: `row` there, and when each was."""

    row: Places
    at: Places
    known_at: Places
    spans: Mapping[str, tuple[int, int]]


def within(spans: Spans) -> tuple[Places, Places]:
    """The numbers within each (first, length), and the place of the span that each is of."""
    first, length = np.array(spans, dtype=np.int64).reshape(-1, 2).T
    whose = np.repeat(np.arange(len(spans)), length)
    return whose, np.arange(len(whose)) - np.repeat(np.cumsum(length) - length - first, length)
