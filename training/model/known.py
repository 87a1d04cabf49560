"""What an affinity model knows of items: how they sell, what goes with what, and tastes.

It is learnt by training.affinity_tables and travels as three tables in the folder of a model. They
name no customer, and a taste is the mean of many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Weights of pairs and tastes are integers, so that their sums are the same in any order.
UNIT = 1_000
# What is known of each item, as numbers; null (NaN) where there is nothing to measure.
OF_ITEM = ("popularity", "trend", "week_trend", "habit", "usual_gap")


@dataclass(frozen=True, eq=False)
class Links:
    """The neighbours of each item [items, most]: codes and weights, 0 where there is none."""

    codes: Ints
    weights: Ints


@dataclass(frozen=True, eq=False)
class Known:
    """The tables as arrays. An item's code is its place by popularity, from 0.

    `numbers` [items, OF_ITEM]; `categories` [items], codes, -1 for none; `hot`: codes by what sold
    most within a week. `tastes` [tastes + 1, items]: what customers of a taste order, the last row
    being everybody's; `directions` [items, tastes]: the same, of length 1, for comparing.
    `favourites` [tastes + 1, most]: the codes of each taste's first items.
    """

    names: pl.Series
    codes: Mapping[str, int]
    numbers: Floats
    categories: Ints
    category_codes: Mapping[str, int]
    hot: Ints
    liked: Links
    together: Links
    tastes: Ints
    directions: Ints
    favourites: Ints

    @property
    def count(self) -> int:
        """How many items are known."""
        return len(self.numbers)


def known_from(tables: Mapping[str, pl.DataFrame]) -> Known:
    """Read `popular`, `links` and `tastes` as training.affinity_tables wrote them."""
    popular = tables["popular"]
    names = popular.get_column("item")
    codes = {name: code for code, name in enumerate(names.to_list())}
    categories = popular.get_column("category").unique().drop_nulls().sort().to_list()
    category_codes = {name: code for code, name in enumerate(categories)}
    tastes = _tastes(tables["tastes"], len(codes))
    hot = popular.with_row_index("code").filter(pl.col("hot").is_not_null()).sort("hot")
    return Known(
        names=names,
        codes=codes,
        numbers=popular.select(OF_ITEM).to_numpy().astype(np.float64).reshape(-1, len(OF_ITEM)),
        categories=np.array(
            [category_codes.get(name, -1) for name in popular.get_column("category").to_list()],
            dtype=np.int64,
        ),
        category_codes=category_codes,
        hot=hot.get_column("code").to_numpy().astype(np.int64),
        liked=_links(tables["links"], "liked", len(codes)),
        together=_links(tables["links"], "together", len(codes)),
        tastes=tastes,
        directions=_directions(tastes),
        favourites=_favourites(tastes),
    )


FAVOURITES = 20


def _favourites(tastes: Ints) -> Ints:
    """The first FAVOURITES items of each taste, -1 where it has fewer."""
    most = min(FAVOURITES, tastes.shape[1])
    first = np.argsort(-tastes, axis=1, kind="stable")[:, :most]
    return np.where(np.take_along_axis(tastes, first, axis=1) > 0, first, -1)


def _directions(tastes: Ints) -> Ints:
    """Tastes [items, tastes] as directions of the same length; everybody's is left out."""
    some = tastes[:-1].T.astype(np.float64)
    length = np.sqrt((some**2).sum(axis=0))
    return np.ascontiguousarray(np.rint(UNIT * some / np.maximum(length, 1.0)).astype(np.int64))


def _tastes(table: pl.DataFrame, items: int) -> Ints:
    """taste, code, weight (rows with a weight only) as a matrix [tastes + 1, items]."""
    rows = table.get_column("taste").to_numpy().astype(np.int64)
    tastes = np.zeros((int(rows.max()) + 1 if len(rows) else 1, items), dtype=np.int64)
    tastes[rows, table.get_column("code").to_numpy()] = table.get_column("weight").to_numpy()
    return tastes


def _links(table: pl.DataFrame, kind: str, items: int) -> Links:
    """code, neighbour, weight of one kind, the nearest neighbour of each code first."""
    of_kind = table.filter(pl.col("kind") == kind).with_columns(
        place=pl.int_range(pl.len()).over("code")
    )
    place = of_kind.get_column("place").to_numpy().astype(np.int64)
    code = of_kind.get_column("code").to_numpy().astype(np.int64)
    shape = (items, int(place.max()) + 1 if len(place) else 1)
    codes, weights = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    codes[code, place] = of_kind.get_column("neighbour").to_numpy()
    weights[code, place] = of_kind.get_column("weight").to_numpy()
    return Links(codes, weights)
