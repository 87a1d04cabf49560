"""Which products an e-mail shows: on the shelf, not bought lately, the likeliest first."""

from __future__ import annotations

import polars as pl

from serving.pick_sources import Sources
from serving.picks import OFFERED, PICKS
from serving.settings import LONGEST_LIST


def picks_of(wanted: pl.DataFrame, sources: Sources) -> pl.DataFrame:
    """`wanted` (person, customer_id, as_of, about, picks) with products to show.

    Adds `products` and their `chances`, best first, and how many were `fitting` before those
    bought lately were left out. `about` is the category that the e-mail is about, if any.
    """
    # Lists are numbered, because sorting by numbers takes a third of the time.
    lists = wanted.with_row_index("list")
    offered = [
        pick(theirs, sources).select(OFFERED)
        for name, pick in PICKS.items()
        if not (theirs := lists.filter(pl.col("picks") == name)).is_empty()
    ]
    numbered = lists.lazy().select("list", "person", "picks", "as_of")
    if not offered:
        return numbered.clear().select(
            "person", "picks", products=pl.lit([], pl.List(pl.String)),
            chances=pl.lit([], pl.List(pl.Float64)), fitting=pl.lit(0, pl.UInt32),
        ).collect()  # fmt: skip
    is_released = pl.col("released_at").is_null() | (pl.col("released_at") <= pl.col("as_of"))
    shown = (
        pl.concat(offered)
        .join(
            sources.shelf.lazy().filter("available").select("product_id", "released_at"),
            left_on="item",
            right_on="product_id",
        )
        .join(numbered.select("list", "as_of"), on="list")
        .filter(is_released)
        .sort("list", "rank")
        .group_by("list")
        .agg(
            products=pl.col("item").filter("rested").head(LONGEST_LIST),
            chances=pl.col("probability").filter("rested").head(LONGEST_LIST),
            fitting=pl.len(),
        )
    )
    return numbered.drop("as_of").join(shown, on="list").drop("list").collect(engine="in-memory")


def with_products(arms: pl.LazyFrame, picks: pl.DataFrame) -> pl.LazyFrame:
    """Add `products` (as many as the e-mail shows), `chance` that one is ordered, and `fitting`.

    `chance` is null where no model gave one: then fit neither adds nor takes.
    """
    shown = pl.col("chances").list.head("show")
    # Products a customer orders are not independent; as a rough fit this is good enough.
    missed = shown.list.eval((1 - pl.element()).product()).list.first()
    nothing = pl.lit([], pl.List(pl.String))
    return (
        arms.join(picks.lazy(), on=["person", "picks"], how="left", maintain_order="left")
        .with_columns(
            products=pl.col("products").list.head("show").fill_null(nothing),
            fitting=pl.col("fitting").fill_null(0),
            chance=pl.when(
                shown.list.len() > 0, shown.list.len() == shown.list.drop_nulls().list.len()
            ).then((1 - missed).round(9)),
        )
        .drop("chances")
    )
