"""Which products an e-mail shows: on the shelf, not bought lately, the likeliest first."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serving.pick_sources import Sources
from serving.picks import OFFERED, PICKS
from serving.settings import LONGEST_LIST
from serving.stock import NOWHERE, Places, Stock, prices_in
from serving.whose import NOBODY, gathered

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
    # Lists are numbered, because sorting by numbers takes a third of the time.
    lists = wanted.with_row_index("list")
    offered = [
        pick(theirs, sources)
        for name, pick in PICKS.items()
        if not (theirs := lists.filter(pl.col("picks") == name)).is_empty()
    ]
    whose = lists.select("person", "picks")
    if not offered:
        return whose.clear().with_columns(NO_PRODUCTS.get_columns())
    told = [
        frame.select(*OFFERED, pl.col("^place$"))
        for frame in pl.collect_all(offered, engine="in-memory")
    ]
    offers = pl.concat(told, how="diagonal")
    place = _places(offers, sources.stock)
    order = _in_order_of_rank(offers, lists, place, sources.stock)
    prices = prices_in(sources.stock, sources.currency).gather(place[order])
    shown = (
        offers.select("list", "item", "probability", "rested")[order]
        .with_columns(prices.alias("price"))
        .group_by("list", maintain_order=True)
        .agg(
            products=pl.col("item").filter("rested").head(LONGEST_LIST),
            chances=pl.col("probability").filter("rested").head(LONGEST_LIST),
            prices=pl.col("price").filter("rested").head(LONGEST_LIST),
            fitting=pl.len(),
        )
    )
    return whose[shown.get_column("list")].hstack(shown.drop("list").get_columns())


def _places(offers: pl.DataFrame, stock: Stock) -> Places:
    """Where each of the offers stands in the stock; of those that are scored it is known."""
    if "place" not in offers.columns:
        return stock.places_of(offers.get_column("item").to_list())
    known = offers.get_column("place")
    place = known.fill_null(NOWHERE).to_numpy(writable=True)
    others = known.is_null().arg_true()
    place[others.to_numpy()] = stock.places_of(offers.get_column("item")[others].to_list())
    return place


def _in_order_of_rank(
    offers: pl.DataFrame, lists: pl.DataFrame, place: Places, stock: Stock
) -> NDArray[np.int64]:
    """The rows of what is on the shelf and has come out, by list and rank."""
    of_list = offers.get_column("list").to_numpy()
    as_of = lists.get_column("as_of").to_physical().to_numpy()[of_list]
    there = np.flatnonzero(place != NOWHERE)
    there = there[stock.released[place[there]] <= as_of[there]]
    rank = offers.get_column("rank").to_numpy()[there]
    in_order: Places = there[np.lexsort((rank, of_list[there]))]
    return in_order


def with_products(arms: pl.DataFrame, picks: pl.DataFrame) -> pl.DataFrame:
    """Add `products` (as many as the e-mail shows), `chance` that one is ordered, and `fitting`.

    `chance` is null where no model gave one: then fit neither adds nor takes. `shown_price` is the
    mean price of the products, null where none is known.
    """
    index = {key: place for place, key in enumerate(picks.select("person", "picks").iter_rows())}
    wanted = arms.select("person", "picks").iter_rows()
    place = np.array([index.get(key, NOBODY) for key in wanted], dtype=np.int64)
    of_arms = arms.select("show").hstack(
        gathered(picks.select("products", "chances", "prices", "fitting"), place).get_columns()
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
