"""Which products an e-mail shows: on the shelf, not bought lately, the likeliest first."""

from __future__ import annotations

import polars as pl

from features.history import category_of
from serving.settings import PolicySettings

LONGEST_LIST = 50


def picks_of(
    wanted: pl.DataFrame,
    items: pl.DataFrame,
    history: pl.DataFrame,
    shelf: pl.DataFrame,
    *,
    policy: PolicySettings,
    category_depth: int,
) -> pl.DataFrame:
    """`wanted` (person, customer_id, as_of, favourite_category, picks) with products to show.

    Adds `products` and their `chances`, best first, and how many were `fitting` before those
    bought lately were left out. `items`: the scores of products; `shelf`: PRODUCTS. What lies in
    the cart or was just bought was the customer's own choice: it is never too recent.
    """
    key = ["customer_id", "as_of"]
    is_due = (pl.col("due_ratio") >= policy.due_share).fill_null(False) & pl.col("own")
    too_recent = (pl.col("days_since_order") < policy.recently_bought_days).fill_null(False)
    is_favourite = category_of("category", depth=category_depth) == pl.col("favourite_category")
    picked_here = (
        (pl.col("picks") == "ranked")
        | ((pl.col("picks") == "category") & is_favourite)
        | ((pl.col("picks") == "due") & pl.col("is_due"))
    )
    scored = wanted.lazy().join(items.lazy(), on=key).with_columns(is_due=is_due)
    ranked = scored.with_columns(rested=~too_recent | is_due)
    touched = _touched(wanted, history).lazy()
    own_choice = touched.join(
        scored.select("person", "picks", "item", "probability"),
        on=["person", "picks", "item"],
        how="left",
    ).with_columns(rested=pl.lit(True))

    available = shelf.lazy().filter("available")
    is_released = pl.col("released_at").is_null() | (pl.col("released_at") <= pl.col("as_of"))
    columns = (
        "person", "picks", "item", "probability", "rank", "rested", "category", "released_at",
        "as_of",
    )  # fmt: skip
    fitting = [
        ranked.join(available, left_on="item", right_on="product_id")
        .filter(is_released, picked_here)
        .select(columns),
        own_choice.join(available, left_on="item", right_on="product_id")
        .filter(is_released)
        .select(columns),
    ]
    return (
        pl.concat(fitting)
        .sort("person", "picks", "rank", "item")
        .group_by("person", "picks")
        .agg(
            products=pl.col("item").filter("rested").head(LONGEST_LIST),
            chances=pl.col("probability").filter("rested").head(LONGEST_LIST),
            fitting=pl.len(),
        )
        .collect(engine="in-memory")
    )


def with_products(arms: pl.DataFrame, picks: pl.DataFrame) -> pl.DataFrame:
    """Add `products` (as many as the e-mail shows), `chance` that one is ordered, and `fitting`.

    `chance` is null where no model gave one: then fit neither adds nor takes.
    """
    shown = pl.col("chances").list.head("show")
    # Products a customer orders are not independent; as a rough fit this is good enough.
    missed = shown.list.eval((1 - pl.element()).product()).list.first()
    nothing = pl.lit([], pl.List(pl.String))
    return (
        arms.join(
            picks,
            on=["person", "picks"],
            how="left",
            maintain_order="left",
        )
        .with_columns(
            products=pl.col("products").list.head("show").fill_null(nothing),
            fitting=pl.col("fitting").fill_null(0),
            chance=pl.when(
                shown.list.len() > 0, shown.list.len() == shown.list.drop_nulls().list.len()
            ).then((1 - missed).round(9)),
        )
        .drop("chances")
    )


def _touched(wanted: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """What lies in the cart, and what the newest order held: person, picks, item, rank, as_of.

    A cart is what was added after the last order and not taken out since, newest first.
    """
    own = pl.col("picks").is_in(["cart", "bought"])
    past = (
        history.lazy()
        .filter(pl.col("kind").is_in(["cart_add", "cart_remove", "order"]))
        .join(wanted.lazy().filter(own), on="customer_id")
        .filter(pl.col("at") < pl.col("as_of"), pl.col("known_at") <= pl.col("as_of"))
        .with_columns(is_order=pl.col("kind") == "order")
        .with_columns(ordered_at=pl.when("is_order").then("at").max().over("person", "picks"))
    )
    since_order = pl.col("ordered_at").is_null() | (pl.col("at") > pl.col("ordered_at"))
    in_cart = (
        past.filter(pl.col("picks") == "cart", ~pl.col("is_order"), since_order)
        .sort("person", "at", "event_id")
        .unique(["person", "product_id"], keep="last")
        .filter(pl.col("kind") == "cart_add")
    )
    bought = past.filter(
        pl.col("picks") == "bought", pl.col("is_order"), pl.col("at") == pl.col("ordered_at")
    ).unique(["person", "product_id"])
    columns = ("person", "picks", "as_of", "at", "product_id")
    return (
        pl.concat([in_cart.select(columns), bought.select(columns)])
        .drop_nulls("product_id")
        .sort("person", "picks", "at", "product_id", descending=[False, False, True, False])
        .select(
            "person", "picks", "as_of",
            item="product_id",
            rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("person", "picks"),
        )
        .collect(engine="in-memory")
    )  # fmt: skip
