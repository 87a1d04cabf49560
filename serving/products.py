"""Which products an e-mail shows: on the shelf, not bought lately, the likeliest first."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl

from serving.pick_sources import Flags, Floats, Sources
from serving.picks import PICKS, Pick
from serving.settings import LONGEST_LIST
from serving.stock import NOWHERE, Places, prices_in
from serving.whose import NOBODY, gathered, only

NO_PRODUCTS = pl.DataFrame(
    schema={
        "products": pl.List(pl.String), "chances": pl.List(pl.Float64),
        "prices": pl.List(pl.Float64), "fitting": pl.UInt32,
    }
)  # fmt: skip


def picks_of(wanted: pl.DataFrame, sources: Sources) -> pl.DataFrame:
    """`wanted` (person, customer_id, as_of, about, picks) with products to show.

    Adds `products` with their `chances` and `prices` (null in another currency), best first, and
    how many were `fitting` before those bought lately were left out. `about` is the category that
    the e-mail is about, if any.
    """
    stock = sources.stock
    kinds = np.array(wanted.get_column("picks").to_list())
    offered = [
        _in_stock(PICKS[name], np.flatnonzero(kinds == name), wanted, sources)
        for name in PICKS
        if name in kinds
    ]
    whose = only(wanted, ("person", "picks"))
    if not offered:
        return whose.clear().with_columns(NO_PRODUCTS.get_columns())
    of_list, place, chance, rested = (np.concatenate(parts) for parts in zip(*offered, strict=True))
    # Lists are numbers, because sorting by numbers takes a third of the time.
    order = np.argsort(of_list, kind="stable")
    of_list, place = of_list[order], place[order]
    shown = (
        pl.DataFrame(
            [
                pl.Series("list", of_list),
                stock.products.get_column("product_id")[place].alias("products"),
                pl.Series("chances", chance[order], nan_to_null=True),
                prices_in(stock, sources.currency)[place].alias("prices"),
                pl.Series("rested", rested[order]),
            ]
        )
        .group_by("list", maintain_order=True)
        .agg(_FIRST)
    )
    return whose[shown.get_column("list")].hstack(shown.get_columns()[1:])


_FIRST = (
    pl.col("products", "chances", "prices").filter("rested").head(LONGEST_LIST),
    pl.len().alias("fitting"),
)


def _in_stock(
    pick: Pick, numbers: Places, wanted: pl.DataFrame, sources: Sources
) -> tuple[Places, Places, Floats, Flags]:
    """What a pick offers that is on the shelf and has come out: list, place, chance, rested."""
    lists = wanted[numbers].with_row_index("list")
    offers = pick(lists, sources)
    as_of = lists.get_column("as_of").cast(pl.Int64).to_numpy()
    there = np.flatnonzero(offers.place != NOWHERE)
    released = sources.stock.released[offers.place[there]]
    there = there[released <= as_of[offers.whose[there]]]
    whose = numbers[offers.whose[there]]
    return whose, offers.place[there], offers.chance[there], offers.rested[there]


def with_products(arms: pl.DataFrame, picks: pl.DataFrame) -> pl.DataFrame:
    """Add `products` (as many as the e-mail shows), `chance` that one is ordered, and `fitting`.

    `chance` is null where no model gave one: then fit neither adds nor takes. `shown_price` is the
    mean price of the products, null where none is known.
    """
    index = {key: place for place, key in enumerate(only(picks, ("person", "picks")).iter_rows())}
    wanted = only(arms, ("person", "picks")).iter_rows()
    place = np.array([index.get(key, NOBODY) for key in wanted], dtype=np.int64)
    of_arms = only(arms, ["show"]).hstack(
        gathered(only(picks, ("products", "chances", "prices", "fitting")), place).get_columns()
    )
    return arms.hstack(of_arms.select(_shown()).get_columns())


@lru_cache(maxsize=1)
def _shown() -> list[pl.Expr]:
    shown = pl.col("chances").list.head("show")
    # Products a customer orders are not independent; as a rough fit this is good enough.
    missed = shown.list.eval((1 - pl.element()).product()).list.first()
    nothing = pl.lit([], pl.List(pl.String))
    return [
        pl.col("products").list.head("show").fill_null(nothing).alias("products"),
        pl.col("fitting").fill_null(0).alias("fitting"),
        pl.when(shown.list.len() > 0, shown.list.len() == shown.list.drop_nulls().list.len())
        .then((1 - missed).round(9))
        .alias("chance"),
        pl.col("prices").list.head("show").list.mean().round(9).alias("shown_price"),
    ]
