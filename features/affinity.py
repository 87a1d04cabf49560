"""Which categories a customer likes."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.feature import DAY, of
from features.lines import Floats, Ints, Lines, Reading
from features.readings import count, text_at

_feature = of("categories")

_UNIT = 1_000_000_000  # logarithms as integers, so that their sum is the same in any order

_orders = pl.col("orders_365d").cast(pl.Int64)
_ordered = _orders > 0
_ln_weights = (_orders * _orders.clip(lower_bound=1).log() * _UNIT).round().cast(pl.Int64)
_CATEGORY, _LAST_ORDER = pl.col("category"), pl.col("last_order").fill_null(0)


def _most(times: str, last: str) -> pl.Expr:
    """The rank of a category by how many times, then by how lately."""
    return pl.col(times).cast(pl.Int64) * 2**32 + pl.col(last).fill_null(0)


_liking = _most("orders_365d", "order_moment")
_is_viewed, _viewing = pl.col("views_30d") > 0, _most("views_30d", "view_moment")
_was_ordered, _order_moment = (
    pl.col("order_moment").is_not_null(),
    pl.col("order_moment").fill_null(0),
)


def _first(lines: Lines, rank: pl.Expr, is_it: pl.Expr) -> Ints:
    """The place of the category that ranks highest of those that are it, -1 where none is."""
    places = lines.places(is_it)
    places = places[np.argsort(lines.numbers(rank)[places], kind="stable")]
    first = np.full(lines.rows, -1)
    first[lines.row[places]] = places  # of one row, the highest is written last
    return first


def _name_of_first(rank: pl.Expr, is_it: pl.Expr) -> Reading:
    return Reading(
        (rank, is_it, _CATEGORY),
        lambda lines: text_at(lines.series(_CATEGORY), _first(lines, rank, is_it)),
    )


def _share_of_favourite(lines: Lines) -> Floats:
    orders = lines.numbers(_orders)
    most = lines.greatest(orders, _ordered, where_none=0)
    total = lines.sums(orders, _ordered)
    return np.where(total > 0, most / np.maximum(total, 1), np.nan)


def _since_favourite(lines: Lines) -> Floats:
    place = _first(lines, _liking, _ordered)
    return np.where(place >= 0, np.append(lines.numbers(_LAST_ORDER), 0)[place] / DAY, np.nan)


def _entropy(lines: Lines) -> pl.Series:
    total = lines.sums(lines.numbers(_orders), _ordered).astype(np.float64)
    weights = lines.sums(lines.numbers(_ln_weights), _ordered) / _UNIT
    told = pl.Series(np.where(total > 0, total, np.nan), nan_to_null=True)
    return (told.log() - pl.Series(weights) / told).round(6).abs()


FEATURES = (
    _feature(
        "distinct_categories_365d", "different categories ordered within a year", count(_ordered), 0
    ),
    _feature(
        "favourite_category",
        "the category in most orders within a year; of equals the one ordered last",
        _name_of_first(_liking, _ordered),
        None,
    ),
    _feature(
        "favourite_category_share",
        "orders with the favourite category, as a share of all categories' orders within a year",
        Reading((_orders, _ordered), _share_of_favourite),
        None,
    ),
    _feature(
        "last_category",
        "the category ordered last",
        _name_of_first(_order_moment, _was_ordered),
        None,
    ),
    _feature(
        "days_since_favourite",
        "days since the favourite category was ordered",
        Reading((_liking, _ordered, _LAST_ORDER), _since_favourite),
        None,
    ),
    _feature(
        "viewed_category_30d",
        "the category viewed most within 30 days; of equals the one viewed last",
        _name_of_first(_viewing, _is_viewed),
        None,
    ),
    _feature(
        "category_entropy",
        "how spread the orders of a year are over categories (natural logarithm): 0 in one only",
        Reading((_orders, _ordered, _ln_weights), _entropy),
        None,
    ),
)
