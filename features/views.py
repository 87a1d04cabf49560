"""The past of a spine row act by act; for items see features.touched."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.cart import is_in_cart
from features.numbers import order_by, starts_of
from features.past import Past
from features.touched import Ints, null_where

_MINUTE = 60_000_000
# What an order is said to be by its earliest line.
_OF_FIRST = (
    "row", "moment", "kind", "channel", "local_day", "local_hour", "is_weekend", "clock_east",
    "clock_north",
)  # fmt: skip


def acts_of(past: Past) -> pl.DataFrame:
    """One line per act: an order with all its lines is one act, any other event is one.

    Added to the columns of the past: `lines`, `gap_minutes` (from the order before, orders only),
    `next_order_age`, `in_cart` (whether it was put into the open cart; null for orders). What only
    a line of an order can say, such as its product, is null for orders.
    """
    kind = past.lines.get_column("kind")
    is_order = (kind == "order").to_numpy()
    orders, first = _orders_of(past, np.flatnonzero(is_order))
    # No cart is open where nothing was ever put into one.
    in_cart = is_in_cart("row") if (kind == "cart_add").any() else pl.lit(False)
    others = past.lines.with_columns(in_cart.alias("in_cart")).filter(pl.Series(~is_order))
    place = np.flatnonzero(~is_order)
    following = np.searchsorted(first, place)
    age = np.append(orders.get_column("age").to_numpy(), 0)[following]
    whose = np.append(orders.get_column("row").to_numpy().astype(np.int64), -1)[following]
    is_last = whose != others.get_column("row").to_numpy()
    return pl.concat(
        [
            orders.with_columns(orders.get_column("age").alias("next_order_age")),
            others.with_columns(null_where(is_last, age).alias("next_order_age")),
        ],
        how="diagonal",
    )


def _orders_of(past: Past, here: Ints) -> tuple[pl.DataFrame, Ints]:
    """The orders whose lines are `here`, by row and moment; and the first line of each."""
    lines = past.lines
    row, number = (
        lines.get_column(name).to_numpy()[here].astype(np.int64)
        for name in ("row", "order_id_number")
    )
    by = order_by((row, past.rows.height), (number + 1, len(past.names["order_id"]) + 1))
    # In the order of their first lines: lines come by row and moment, and stay so within an order.
    start = np.flatnonzero(starts_of(row[by], number[by]))
    first = here[by[start]]
    count = np.diff(start, append=len(by))
    order = np.argsort(first)
    run = np.empty(len(first), dtype=np.int64)
    run[order] = np.arange(len(first))
    of_line = np.empty(len(here), dtype=np.int64)
    of_line[by] = np.repeat(run, count)
    first, count = first[order], count[order]

    age = np.zeros(len(first), dtype=np.int64)
    np.maximum.at(age, of_line, lines.get_column("age").to_numpy()[here])
    is_own = np.ones(len(first), dtype=np.bool_)
    is_own[of_line[~lines.get_column("is_own").to_numpy()[here]]] = False
    amount = lines.get_column("amount")
    has_price = np.zeros(len(first), dtype=np.bool_)
    has_price[of_line[amount.is_not_null().to_numpy()[here]]] = True
    orders = lines.select(_OF_FIRST)[first]
    same_row = ~starts_of(orders.get_column("row").to_numpy())
    gap = np.append(0, age[:-1] - age[1:])[: len(age)] // _MINUTE
    return orders.with_columns(
        pl.Series("age", age),
        pl.Series("is_own", is_own),
        # Null, rather than nothing, where no line has a price in the base currency.
        null_where(~has_price, _sums(amount, here, of_line, len(first))).alias("amount"),
        pl.Series("discount", _sums(lines.get_column("discount"), here, of_line, len(first))),
        _least(lines.get_column("coupon"), here, of_line, len(first)),
        _least(lines.get_column("payment"), here, of_line, len(first)),
        pl.Series("lines", count.astype(np.int64)),
        null_where(~same_row, gap).alias("gap_minutes"),
    ), first


def _sums(money: pl.Series, here: Ints, of_line: Ints, orders: int) -> Ints:
    sums = np.zeros(orders, dtype=np.int64)
    np.add.at(sums, of_line, money.fill_null(0).to_numpy()[here])
    return sums


def _least(texts: pl.Series, here: Ints, of_line: Ints, orders: int) -> pl.Series:
    """The first text by alphabet of each order, null where none of its lines has one."""
    said = texts.is_not_null().to_numpy()[here]
    if not said.any():
        return pl.repeat(None, orders, dtype=pl.String, eager=True).alias(texts.name)
    found = pl.DataFrame({"order": of_line[said], texts.name: texts[here[said]]})
    least = found.group_by("order").agg(pl.col(texts.name).min())
    every = pl.DataFrame({"order": np.arange(orders)})
    return every.join(least, on="order", how="left", maintain_order="left").get_column(texts.name)
