"""What goes with the newest order of a customer, by the model of what is ordered together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat

import numpy as np
import polars as pl

from serving.pick_sources import Floats, Sources, within
from serving.stock import Places, Stock
from training.model.model import Model

_UNHEARD_OF = -1


def newest_order(lists: pl.DataFrame, sources: Sources) -> tuple[Places, pl.Series, Places]:
    """The lines of each list's newest order: the list, the product and when, by list.

    Of orders of the same moment it is the one whose id comes first.
    """
    whose, row, at = sources.orders_of(lists)
    if not len(whose):
        return whose, pl.Series(dtype=pl.String), at
    starts = np.flatnonzero(np.diff(whose, prepend=-1))
    newest = np.repeat(np.maximum.reduceat(at, starts), np.diff(np.append(starts, len(at))))
    orders = sources.history.get_column("order_id")[row]
    of_newest = np.flatnonzero(at == newest)
    wanted: dict[int, str] = {}
    for place, order in zip(whose[of_newest].tolist(), orders[of_newest].to_list(), strict=True):
        if order is not None and order < wanted.setdefault(place, order):
            wanted[place] = order
    names = pl.Series([wanted.get(place) for place in range(lists.height)], dtype=pl.String)
    lines = np.flatnonzero(orders.eq(names[whose]).fill_null(False).to_numpy())
    return whose[lines], sources.history.get_column("product_id")[row[lines]], at[lines]


def ordered_with(
    affinity: Model, whose: Places, bought: pl.Series, stock: Stock
) -> tuple[Places, Places]:
    """What goes with what is `bought`: the list and the place in the stock, best first.

    All lists that the model knows something for are in it, also where nothing of it is in stock.
    """
    links = _links(affinity, stock)
    code = np.array(
        list(map(links.codes.get, bought.to_list(), repeat(_UNHEARD_OF))),
        dtype=np.int64,
    )
    many = len(links.place)
    heard_of = code != _UNHEARD_OF
    own = np.unique(whose[heard_of] * many + code[heard_of])
    of_own, row = within([links.spans.get(one, (0, 0)) for one in (own % many).tolist()])
    pairs = own[of_own] // many * many + links.other[row]
    is_new = ~np.isin(pairs, own)
    pairs, which = np.unique(pairs[is_new], return_inverse=True)
    # Models count in whole numbers; fractions would sum to another last bit in each order.
    weight = np.round(np.bincount(which, links.weight[row[is_new]], len(pairs)), 9)
    of_list, other = pairs // many, pairs % many
    best = np.lexsort((links.by_name[other], -weight, of_list))
    return of_list[best], links.place[other[best]]


@dataclass(frozen=True, eq=False)
class _Links:
    """What is ordered together, by number of the product.

    `codes` numbers products, `place` is where they stand in the stock and `by_name` their order;
    `other` and `weight` are links, those of each product in its span.
    """

    codes: Mapping[str, int]
    place: Places
    by_name: Places
    other: Places
    weight: Floats
    spans: Mapping[int, tuple[int, int]]


@lru_cache(maxsize=4)
def _links(affinity: Model, stock: Stock) -> _Links:
    names = affinity.tables["popular"].get_column("item")
    links = (
        affinity.tables["links"]
        .filter(pl.col("kind") == "together", pl.col("weight") > 0)
        .sort("code", maintain_order=True)
    )
    spans = links.group_by("code", maintain_order=True).len()
    length = spans.get_column("len").to_numpy().astype(np.int64)
    first = np.cumsum(length) - length
    codes = spans.get_column("code").to_list()
    return _Links(
        codes={name: code for code, name in enumerate(names)},
        place=stock.places_of(names),
        by_name=names.rank("ordinal").cast(pl.Int64).to_numpy(),
        other=links.get_column("neighbour").cast(pl.Int64).to_numpy(),
        weight=links.get_column("weight").to_numpy(),
        spans=dict(zip(codes, zip(first.tolist(), length.tolist(), strict=True), strict=True)),
    )
