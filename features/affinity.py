"""Which categories a customer likes."""

from __future__ import annotations

import polars as pl

from features.feature import DAY, count, of, per

_feature = of("categories")

_UNIT = 1_000_000_000  # logarithms as integers, so that their sum is the same in any order

_orders = pl.col("orders_365d").cast(pl.Int64)
_ordered = _orders > 0
_order_total = pl.when(_ordered).then(_orders).sum().cast(pl.Float64)
_ln_weights = (_orders * _orders.clip(lower_bound=1).log() * _UNIT).round().cast(pl.Int64)


def _most(times: str, last: str) -> pl.Expr:
    """The rank of a category by how many times, then by how lately."""
    return pl.col(times).cast(pl.Int64) * 2**32 + pl.col(last).fill_null(0)


_liking = _most("orders_365d", "order_moment")


def _of_favourite(column: str) -> pl.Expr:
    return pl.col(column).filter(_ordered).max_by(_liking.filter(_ordered))


FEATURES = (
    _feature(
        "distinct_categories_365d", "different categories ordered within a year", count(_ordered), 0
    ),
    _feature(
        "favourite_category",
        "the category in most orders within a year; of equals the one ordered last",
        _of_favourite("category"),
        None,
    ),
    _feature(
        "favourite_category_share",
        "orders with the favourite category, as a share of all categories' orders within a year",
        pl.when(_ordered.any()).then(pl.when(_ordered).then(_orders).max() / _order_total),
        None,
    ),
    _feature(
        "last_category",
        "the category ordered last",
        pl.col("category")
        .filter(pl.col("order_moment").is_not_null())
        .max_by(pl.col("order_moment").drop_nulls()),
        None,
    ),
    _feature(
        "days_since_favourite",
        "days since the favourite category was ordered",
        per(_of_favourite("last_order"), DAY),
        None,
    ),
    _feature(
        "viewed_category_30d",
        "the category viewed most within 30 days; of equals the one viewed last",
        pl.col("category")
        .filter(pl.col("views_30d") > 0)
        .max_by(_most("views_30d", "view_moment").filter(pl.col("views_30d") > 0)),
        None,
    ),
    _feature(
        "category_entropy",
        "how spread the orders of a year are over categories (natural logarithm): 0 in one only",
        pl.when(_ordered.any()).then(
            (
                _order_total.log()
                - per(pl.when(_ordered).then(_ln_weights).sum(), _UNIT) / _order_total
            )
            .round(6)
            .abs()
        ),
        None,
    ),
)
