"""The past of a spine row act by act; for items see features.touched."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.cart import is_in_cart
from features.numbers import null_where, numbered, order_by, starts_of
from features.past import Past
from features.touched import Ints

_MINUTE = 60_000_000
# What is grouped by its number, or was needed only to find machines.
_NOT_OF_ACTS = ("event_id", "at", "order_id", "category_number")
_SAID = (
    pl.col("is_own"),
    pl.col("amount").is_not_null().alias("has_price"),
    pl.col("discount").is_not_null().alias("has_discount"),
    pl.col("amount").fill_null(0),
    pl.col("discount").fill_null(0),
)


def acts_of(past: Past) -> pl.DataFrame:
    """One line per act: an order with all its lines is one act, any other event is one.

    By row and moment. Added to the columns of the past: `lines` and `gap_minutes` (from the order
    before), both for orders only; `next_order_age`, for an order its own; `in_cart`, whether it was
    put into the open cart. Whatever an order is said to be, such as its channel, is said by its
    earliest line, but for the sums of its money, and for what only one of its lines may say.
    """
    lines = past.lines.drop(_NOT_OF_ACTS)
    kind = lines.get_column("kind")
    # No cart is open where nothing was ever put into one.
    in_cart = is_in_cart("row") if (kind == "cart_add").any() else pl.lit(False)
    lines = lines.with_columns(in_cart.alias("in_cart"))
    is_order = (kind == "order").to_numpy()
    here = np.flatnonzero(is_order)
    row = lines.get_column("row").to_numpy().astype(np.int64)
    first, of_line, count = _orders_of(past, here, row)
    is_act = ~is_order
    is_act[first] = True
    acts = lines if is_act.all() else lines.filter(pl.Series(is_act))
    order = np.flatnonzero(is_order[is_act])
    row, age = row[is_act], acts.get_column("age").to_numpy()

    following = np.searchsorted(order, np.arange(len(row)))
    none_follows = np.append(row[order], -1)[following] != row
    gap = np.zeros(len(order), dtype=np.int64)
    gap[1:] = (age[order[:-1]] - age[order[1:]]) // _MINUTE
    same_row = np.zeros(len(order), dtype=np.bool_)
    same_row[1:] = row[order[1:]] == row[order[:-1]]
    return acts.with_columns(
        null_where(np.append(age[order], 0)[following], none_follows).alias("next_order_age"),
        _only_at(order, count, len(row)).alias("lines"),
        _only_at(order[same_row], gap[same_row], len(row)).alias("gap_minutes"),
        *_of_whole_orders(lines, acts, here, of_line, order),
    )


def _orders_of(past: Past, here: Ints, row: Ints) -> tuple[Ints, Ints, Ints]:
    """The orders whose lines are `here`, by row and moment: the first line of each, the order of
    each line, and how many lines each order has."""
    row, number = row[here], past.lines.get_column("order_id_number").to_numpy()[here]
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
    return first[order], of_line, count[order]


def _of_whole_orders(
    lines: pl.DataFrame, acts: pl.DataFrame, here: Ints, of_line: Ints, order: Ints
) -> list[pl.Series]:
    """Columns of `acts`, in which the orders (the acts at `order`) are said to be what all of their
    lines (the lines `here`, each of an order) say."""
    if not len(order):
        return []
    in_line, in_act = lines.select(_SAID)[here], acts.select(_SAID)
    has_own, has_price, has_discount, amount, discount = (
        column.to_numpy(writable=True) for column in in_act.get_columns()
    )
    of_order = order[of_line]
    has_own[of_order[~in_line.get_column("is_own").to_numpy()]] = False
    has_price[of_order[in_line.get_column("has_price").to_numpy()]] = True
    has_discount[order] = True
    for sums, name in ((amount, "amount"), (discount, "discount")):
        sums[order] = 0
        np.add.at(sums, of_order, in_line.get_column(name).to_numpy())
    texts = (
        _least(lines.get_column(name), acts.get_column(name), here, of_line, order)
        for name in ("coupon", "payment")
    )
    return [
        pl.Series("is_own", has_own),
        # Null, rather than nothing, where no line has a price in the base currency.
        null_where(amount, ~has_price).alias("amount"),
        null_where(discount, ~has_discount).alias("discount"),
        *texts,
    ]


def _least(
    texts: pl.Series, of_acts: pl.Series, here: Ints, of_line: Ints, order: Ints
) -> pl.Series:
    """The first text by alphabet of each order, null where none of its lines has one."""
    said = np.flatnonzero(texts.is_not_null().to_numpy()[here])
    if not len(said):
        return of_acts
    number, names = numbered(texts[here[said]])
    least = np.full(len(order), len(names))
    np.minimum.at(least, of_line[said], number)
    has_one = least < len(names)
    return of_acts.scatter(order[has_one], names[least[has_one]])


def _only_at(places: Ints, numbers: Ints, height: int) -> pl.Series:
    """The numbers at their places, null everywhere else."""
    is_null: NDArray[np.bool_] = np.ones(height, dtype=np.bool_)
    is_null[places] = False
    everywhere = np.zeros(height, dtype=np.int64)
    everywhere[places] = numbers
    return null_where(everywhere, is_null)
