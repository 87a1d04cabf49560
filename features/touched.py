"""The past of a spine row by item: each product or category that was ordered, viewed or carted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.feature import DAY
from features.numbers import null_where, order_by, starts_of
from features.past import Past

Item: TypeAlias = Literal["category", "product_id"]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

# What an order made this moment weighs: integers, so that sums are the same in any order.
WEIGHT = 1_000_000
NEVER = 2**62
_PRICE, _HAS_PRICE = (
    pl.col("amount").fill_null(0),
    pl.col("amount").is_not_null().alias("is_priced"),
)


def _faded(age: Ints, half_life_days: int) -> Ints:
    """The weight of each order, in units of 1 / WEIGHT: half of it is gone after the half-life."""
    weights: Ints = np.rint(WEIGHT * np.exp2(-age / (DAY * half_life_days))).astype(np.int64)
    return weights


@dataclass(frozen=True, eq=False)
class Runs:
    """Lines that stand together, run after run: where each run starts, and of how many lines."""

    starts: Ints
    lines: int

    @cached_property
    def of_line(self) -> Ints:
        """The number of the run of each line."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=self.lines))

    def counts(self, is_it: Mask) -> NDArray[np.uint32]:
        here = np.flatnonzero(is_it)
        return np.bincount(self.of_line[here], minlength=len(self.starts)).astype(np.uint32)

    def sums(self, numbers: Ints) -> Ints:
        found: Ints = np.add.reduceat(numbers, self.starts)
        return found

    def least(self, numbers: Ints, is_it: Mask) -> Ints:
        """The least number of those that are it; NEVER where none is."""
        if not is_it.any():
            return np.full(len(self.starts), NEVER)
        found: Ints = np.minimum.reduceat(np.where(is_it, numbers, NEVER), self.starts)
        return found

    def newest(self, moments: NDArray[np.uint32], is_it: Mask) -> pl.Series:
        """The last moment of those that are it, else null."""
        if not is_it.any():
            return pl.Series([None], dtype=pl.UInt32).new_from_index(0, len(self.starts))
        found = np.maximum.reduceat(np.where(is_it, moments, 0), self.starts)
        return null_where(found, self.counts(is_it) == 0)


def items_of(past: Past, item: Item) -> pl.DataFrame:
    """One line per item of a row: how often and how lately ordered, viewed, put into a cart.

    Columns: row, the item, orders (all that are kept), orders_28d, _91d, _365d, weight_30d, _120d
    (halved after so many days, in units of 1 / WEIGHT), views_7d, _28d, _30d, carts_28d,
    first_order, last_order, last_view (ages), order_moment, view_moment, quantity_365d, spend_365d
    (null where ordered, but no amount is known). Sorted by row and item. Two lines of one order
    with the same item are one order. Features and habits ask for the same ones: found once.
    """
    if item not in past.items:
        past.items[item] = _items_of(past, item)
    return past.items[item]


def _items_of(past: Past, item: Item) -> pl.DataFrame:
    lines = past.lines
    number = lines.get_column(f"{item}_number").to_numpy()
    kind = lines.get_column("kind")
    is_order, is_view, is_cart = (
        (kind == name).to_numpy() for name in ("order", "view", "cart_add")
    )
    here = np.flatnonzero((number >= 0) & (is_order | is_view | is_cart))
    if not len(here):
        return _NOTHING.rename({"item": item})
    row = lines.get_column("row").to_numpy()[here].astype(np.int64)
    # By item; whatever is no order comes before the orders, whose lines stand together.
    order = np.where(is_order, lines.get_column("order_id_number").to_numpy() + 2, 0)[here]
    names = past.names[item]
    by = order_by(
        (row, past.rows.height),
        (number[here], len(names)),
        (order, len(past.names["order_id"]) + 2),
    )
    here, row, order = here[by], row[by], order[by]
    code = number[here]
    is_order, is_view, is_cart = is_order[here], is_view[here], is_cart[here]
    age, moment, quantity = (
        lines.get_column(name).to_numpy()[here] for name in ("age", "moment", "quantity")
    )
    money = lines.select(_PRICE, _HAS_PRICE)
    price, has_price = (column.to_numpy()[here] for column in money.get_columns())

    is_new = starts_of(row, code)
    starts = np.flatnonzero(is_new)
    of_item = Runs(starts, len(here))
    # Each order of an item once, as old as its newest line; null where it is none.
    of_order = Runs(np.flatnonzero(is_new | starts_of(order)), len(here))
    once = of_order.least(age, is_order)
    orders_of_item = Runs(np.searchsorted(of_order.starts, starts), len(once))
    is_one = once < NEVER
    is_lately = is_order & (age <= 365 * DAY)
    orders_365d = orders_of_item.counts(once <= 365 * DAY)
    spend = of_item.sums(np.where(is_lately, price, 0))
    is_unknown = ~(of_item.counts(is_lately & has_price) > 0) & (orders_365d > 0)
    first = np.maximum.reduceat(np.where(is_one, once, -1), orders_of_item.starts)
    last, last_view = of_item.least(age, is_order), of_item.least(age, is_view)
    return pl.DataFrame(
        {
            "row": row[starts].astype(np.uint32),
            item: names[code[starts]],
            "orders": orders_of_item.counts(is_one),
            "orders_28d": orders_of_item.counts(once <= 28 * DAY),
            "orders_91d": orders_of_item.counts(once <= 91 * DAY),
            "orders_365d": orders_365d,
            **{
                f"weight_{days}d": orders_of_item.sums(np.where(is_one, _faded(once, days), 0))
                for days in (30, 120)
            },
            "first_order": null_where(first, first < 0),
            "last_order": null_where(last, last == NEVER),
            "last_view": null_where(last_view, last_view == NEVER),
            "order_moment": of_item.newest(moment, is_order),
            "view_moment": of_item.newest(moment, is_view),
            "views_7d": of_item.counts(is_view & (age <= 7 * DAY)),
            "views_28d": of_item.counts(is_view & (age <= 28 * DAY)),
            "views_30d": of_item.counts(is_view & (age <= 30 * DAY)),
            "carts_28d": of_item.counts(is_cart & (age <= 28 * DAY)),
            "quantity_365d": of_item.sums(np.where(is_lately, quantity, 0)),
            "spend_365d": null_where(spend, is_unknown),
        }
    )


def orders_of_a_year(past: Past) -> NDArray[np.float64]:
    """How many orders each row has whose oldest line is no older than a year [rows]."""
    is_order = (past.lines.get_column("kind") == "order").to_numpy()
    row, number, age = (
        past.lines.get_column(name).to_numpy()[is_order]
        for name in ("row", "order_id_number", "age")
    )
    count = past.rows.height
    if not len(row):
        return np.zeros(count)
    by = order_by((row.astype(np.int64), count), (number + 1, len(past.names["order_id"]) + 1))
    row, number = row[by], number[by]
    starts = np.flatnonzero(starts_of(row, number))
    oldest = np.maximum.reduceat(age[by], starts)
    whose = row[starts][oldest <= 365 * DAY]
    return np.bincount(whose, minlength=count).astype(np.float64)


_COUNT, _NUMBER = pl.UInt32(), pl.Int64()
_NOTHING = pl.DataFrame(
    schema={
        "row": _COUNT,
        "item": pl.String(),
        **dict.fromkeys(("orders", "orders_28d", "orders_91d", "orders_365d"), _COUNT),
        **dict.fromkeys(("weight_30d", "weight_120d"), _NUMBER),
        **dict.fromkeys(("first_order", "last_order", "last_view"), _NUMBER),
        **dict.fromkeys(("order_moment", "view_moment"), _COUNT),
        **dict.fromkeys(("views_7d", "views_28d", "views_30d", "carts_28d"), _COUNT),
        **dict.fromkeys(("quantity_365d", "spend_365d"), _NUMBER),
    }
)
