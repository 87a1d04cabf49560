"""Candidates: which items a customer might order next, and all that is known of each.

They come from the customer's own past (orders, views, cart), from items that are liked by those who
like the same or are ordered together with the last ones, from what customers of a similar taste
order (the neighbours of TIFU-kNN, Hu et al. 2020, as means of many), from what everybody orders
or orders this week, and from new items of favoured categories. One road for training, the night and
one customer: whole numbers are summed, so nobody's figures depend on who else is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from training.model.known import OF_ITEM, UNIT, Floats, Ints, Known
from training.model.own_items import COUNTS, SPANS, Own, own_items
from training.model.sources import (
    distinct,
    linked,
    looked_up,
    mixture_of,
    new_in_favoured,
    newcomers,
    of_categories,
)

# For the customer and the item, from the tables of the model; the last three for the customer.
FOUND = (
    "liked", "together", "taste", "category_weight", "usual_due", "last_order", "own_orders",
    "own_items",
)  # fmt: skip
INPUTS = (*COUNTS, *SPANS, *OF_ITEM, *FOUND)


@dataclass(frozen=True)
class Limits:
    """How many of each customer's own items, and of everybody's favourites, are candidates.

    `scored`: how many of them the trees score, the first by their quick score; `listed`: how many
    are listed at all. `depth`: how many parts of a path are a category.
    """

    own: int
    popular: int
    scored: int
    listed: int
    depth: int


@dataclass(frozen=True, eq=False)
class Candidates:
    """Rows sorted by `place` (of the spine row), then `code` of the item.

    `mine` is the row of `own`, -1 where the item is not the customer's own. `found` [rows] by name.
    `keys` number the rows, and `sources` have the keys that each source found.
    """

    own: Own
    table: Known
    place: Ints
    code: Ints
    mine: Ints
    names: pl.Series
    found: dict[str, Floats]
    keys: Ints
    sources: dict[str, Ints]

    def of_own(self, name: str) -> Floats:
        """One of COUNTS or SPANS; 0 or NaN where the item is not the customer's own."""
        values, other = (
            (self.own.count(name), 0.0) if name in COUNTS else (self.own.span(name), np.nan)
        )
        result = np.full(len(self.place), other)
        is_own = self.mine >= 0
        result[is_own] = values[self.mine[is_own]]
        return result

    def of_item(self, name: str) -> Floats:
        """One of OF_ITEM; NaN where the model does not know the item."""
        column = np.append(self.table.numbers[:, OF_ITEM.index(name)], np.nan)
        result: Floats = column[np.minimum(self.code, self.table.count)]
        return result

    def of_customer(self, numbers: Floats) -> Floats:
        """A number of each place, for each row."""
        result: Floats = numbers[self.place]
        return result

    def inputs(self) -> Floats:
        """INPUTS [rows, inputs]."""
        numbers = np.empty((len(self.place), len(INPUTS)))
        for column, name in enumerate(INPUTS):
            if name in self.found:
                numbers[:, column] = self.found[name]
            elif name in OF_ITEM:
                numbers[:, column] = self.of_item(name)
            elif name in COUNTS or name in SPANS:
                numbers[:, column] = self.of_own(name)
        days, usual = (INPUTS.index(name) for name in ("days_since_order", "usual_gap"))
        with np.errstate(divide="ignore", invalid="ignore"):
            numbers[:, INPUTS.index("usual_due")] = numbers[:, days] / numbers[:, usual]
        last = np.where(np.isfinite(self.own.last_order), self.own.last_order, np.nan)
        numbers[:, INPUTS.index("last_order")] = self.of_customer(last)
        numbers[:, INPUTS.index("own_orders")] = self.of_customer(self.own.orders)
        numbers[:, INPUTS.index("own_items")] = self.of_customer(self.own.items)
        return numbers

    def only(self, rows: Ints) -> Candidates:
        """Some of the rows."""
        return Candidates(
            self.own,
            self.table,
            self.place[rows],
            self.code[rows],
            self.mine[rows],
            self.names,
            {name: values[rows] for name, values in self.found.items()},
            self.keys[rows],
            self.sources,
        )


def candidates_of(
    items: pl.DataFrame,
    spine: pl.DataFrame,
    known: Known,
    *,
    shelf: pl.DataFrame | None,
    limits: Limits,
) -> Candidates:
    """All candidates of each spine row; `shelf`: PRODUCTS, where the items are products."""
    own = own_items(items, spine, known, most=limits.own)
    new = newcomers(shelf, spine, known, depth=limits.depth)
    others = [one for one in (own.strange, new.get_column("item")) if len(one)]
    names = pl.concat([known.names, *others]) if others else known.names
    stride, places = max(1, len(names)), spine.height
    mixture = mixture_of(own, known, places)
    each = mixture.shape[1] * known.favourites.shape[1]
    favourites = known.favourites[mixture].reshape(places, each)
    in_category, weights = of_categories(own, known)
    new_places, new_rows = new_in_favoured(
        new, spine, in_category, weights, len(known.category_codes)
    )
    once = np.full_like(own.weights, UNIT)
    popular = np.union1d(np.arange(min(limits.popular, known.count)), known.hot)
    anyone = np.arange(places)[:, None] * stride
    mine = own.place * stride + own.code
    liked, liking = linked(own, own.weights, own.speaks, known.liked, stride)
    together, often = linked(own, once, own.speaks & own.on_mind, known.together, stride)
    newest = new_places * stride + _codes_of(new, own, known)[new_rows]
    from_source = {
        "own": mine,
        "liked": liked,
        "together": together,
        "taste": (anyone + favourites)[favourites >= 0],
        "popular": (anyone + popular).ravel(),
        "new": newest,
    }
    keys = distinct(np.concatenate(list(from_source.values())))
    place, code = keys // stride, keys % stride
    own_row = np.full(len(keys), -1, dtype=np.int64)
    own_row[np.searchsorted(keys, mine)] = np.arange(len(mine))
    heft = np.maximum(np.bincount(own.place, own.weights, places), 1.0)[place]
    safe = np.minimum(code, max(0, known.count - 1))
    taste = np.zeros(len(keys), dtype=np.int64)
    if known.count:
        for column in mixture.T:
            taste += known.tastes[column[place], safe]
    categories = np.concatenate(
        [known.categories, np.full(len(own.strange), -1), new.get_column("category").to_numpy()]
    )[code]
    of_category = looked_up(place * len(known.category_codes) + categories, in_category, weights)
    return Candidates(
        own=own,
        table=known,
        place=place,
        code=code,
        mine=own_row,
        names=names,
        found={
            "liked": looked_up(keys, liked, liking) / heft,
            "together": looked_up(keys, together, often),
            "taste": np.where(code < known.count, taste, 0).astype(np.float64),
            "category_weight": np.where(categories >= 0, of_category, 0.0) / heft,
        },
        keys=keys,
        sources=from_source,
    )


def _codes_of(new: pl.DataFrame, own: Own, known: Known) -> Ints:
    """A new item may be known, or the customers' own, already: its code is then the one it has."""
    if new.is_empty():
        return np.zeros(0, dtype=np.int64)
    first = known.count + len(own.strange)
    strange = {name: code for code, name in enumerate(own.strange.to_list(), start=known.count)}
    names = new.get_column("item").to_list()
    return np.array(
        [known.codes.get(name, strange.get(name, first + n)) for n, name in enumerate(names)],
        dtype=np.int64,
    )
