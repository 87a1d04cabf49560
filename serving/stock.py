"""The shelf made ready once for all who ask: what is available, by category, and where it stands.

A shelf has tens of thousands of products, of which a decision looks at some dozens: to go through
all of them for one customer would take longer than everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.history import category_of

Places = NDArray[np.int64]

NOWHERE, UNHEARD_OF = -1, -2
_LONG_AGO = np.iinfo(np.int64).min


@dataclass(frozen=True, eq=False)
class Stock:
    """The available products of a shelf.

    `products` is the shelf with its categories cut; `places` says in which row a product stands,
    `of_category` in which rows those of a category do; `category` is the first of these rows
    (NOWHERE without a category), `released` is when each came out, in microseconds, and `by_name`
    its place among all of them by product_id.
    """

    products: pl.DataFrame
    places: Mapping[str, int]
    of_category: Mapping[str, Places]
    category: Places
    released: Places
    by_name: Places

    def places_of(self, items: Iterable[str | None]) -> Places:
        """The row of each product, NOWHERE where it is not available."""
        found = list(map(self.places.get, items, repeat(NOWHERE)))  # type: ignore[arg-type]
        return np.array(found, dtype=np.int64)

    def category_of(self, names: Iterable[str | None]) -> Places:
        """What `category` says of the products of these; UNHEARD_OF where there are none."""
        known = self.of_category
        found = [
            known[name][0] if name is not None and name in known else UNHEARD_OF for name in names
        ]
        return np.array(found, dtype=np.int64)

    def among(self, categories: Iterable[str | None]) -> pl.DataFrame:
        """The products of these categories."""
        found = [self.of_category[name] for name in categories if name and name in self.of_category]
        return self.products[np.concatenate(found)] if found else self.products.clear()


@lru_cache(maxsize=4)
def prices_in(stock: Stock, currency: str) -> pl.Series:
    """The price of each product, by row; null where it is not known in this currency."""
    price = pl.when(pl.col("currency") == currency).then(pl.col("price").cast(pl.Float64))
    return stock.products.select(price.alias("price")).to_series()


def stock_of(shelf: pl.DataFrame, *, depth: int) -> Stock:
    """Of a shelf (PRODUCTS), with categories cut to `depth`; kept while the shelf is the same."""
    return _stock(_Same(shelf), depth)


@dataclass(frozen=True, eq=False)
class _Same:
    """One very frame: its contents are not compared."""

    frame: pl.DataFrame

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.frame is self.frame

    def __hash__(self) -> int:
        return id(self.frame)


@lru_cache(maxsize=4)
def _stock(shelf: _Same, depth: int) -> Stock:
    products = shelf.frame.filter("available").with_columns(
        category=category_of("category", depth=depth)
    )
    groups = (
        products.select("category", place=pl.int_range(pl.len(), dtype=pl.Int64))
        .drop_nulls("category")
        .group_by("category")
        .agg("place")
    )
    of_category = {name: np.array(places) for name, places in groups.iter_rows()}
    category = np.full(products.height, NOWHERE)
    for places in of_category.values():
        category[places] = places[0]
    released = products.get_column("released_at").to_physical().fill_null(_LONG_AGO)
    return Stock(
        products,
        {name: place for place, name in enumerate(products.get_column("product_id"))},
        of_category,
        category,
        released.to_numpy(),
        products.get_column("product_id").rank("ordinal").cast(pl.Int64).to_numpy(),
    )
