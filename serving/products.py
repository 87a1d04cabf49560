"""Which products an e-mail shows: on the shelf, not bought lately, the likeliest first."""

from __future__ import annotations

import polars as pl

from features.cart import is_in_cart
from features.history import category_of
from serving.settings import PolicySettings
from serving.tables import KEY

LONGEST_LIST = 50
# What customers chose themselves is shown, however lately they bought it.
OWN_CHOICE = ("cart", "bought")
OFFERED = ("list", "item", "probability", "rank", "rested")


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
    is_due = (pl.col("due_ratio") >= policy.due_share).fill_null(False) & pl.col("own")
    too_recent = (pl.col("days_since_order") < policy.recently_bought_days).fill_null(False)
    is_released = pl.col("released_at").is_null() | (pl.col("released_at") <= pl.col("as_of"))
    available = shelf.lazy().filter("available")

    # Lists are numbered, because sorting by numbers takes a third of the time.
    lists = wanted.with_row_index("list")
    scored = lists.lazy().join(items.lazy(), on=KEY).with_columns(rested=~too_recent | is_due)
    is_about_category = pl.col("picks") == "category"
    in_category = category_of("category", depth=category_depth) == pl.col("favourite_category")
    offered = [
        scored.filter((pl.col("picks") == "ranked") | ((pl.col("picks") == "due") & is_due))
        .join(available, left_on="item", right_on="product_id")
        .filter(is_released)
        .select(OFFERED),
        scored.filter(is_about_category)
        .join(available, left_on="item", right_on="product_id")
        .filter(is_released, in_category)
        .select(OFFERED),
    ]
    if lists.get_column("picks").is_in(OWN_CHOICE).any():
        offered.append(
            _own_choice(lists, history)
            .join(available, left_on="item", right_on="product_id")
            .filter(is_released)
            # A model of what they usually order says nothing of what they have just chosen.
            .with_columns(probability=pl.lit(None, pl.Float64), rested=pl.lit(True))
            .select(OFFERED)
        )
    shown = (
        pl.concat(offered)
        .sort("list", "rank")
        .group_by("list")
        .agg(
            products=pl.col("item").filter("rested").head(LONGEST_LIST),
            chances=pl.col("probability").filter("rested").head(LONGEST_LIST),
            fitting=pl.len(),
        )
    )
    return (
        lists.lazy()
        .select("list", "person", "picks")
        .join(shown, on="list")
        .drop("list")
        .collect(engine="in-memory")
    )


def _own_choice(lists: pl.DataFrame, history: pl.DataFrame) -> pl.LazyFrame:
    """What lies in the cart, or what the newest order held: list, as_of, item, rank.

    The newest comes first.
    """
    is_order = pl.col("kind") == "order"
    past = (
        history.lazy()
        .filter(pl.col("kind").is_in(["cart_add", "cart_remove", "order"]))
        .join(lists.lazy().filter(pl.col("picks").is_in(OWN_CHOICE)), on="customer_id")
        .filter(pl.col("at") < pl.col("as_of"), pl.col("known_at") <= pl.col("as_of"))
        .with_columns(
            ordered_at=pl.when(is_order).then("at").max().over("list"),
            age=(pl.col("as_of") - pl.col("at")).dt.total_microseconds(),
        )
    )
    in_cart = (
        past.filter(is_in_cart("list"))
        .filter(pl.col("picks") == "cart")
        .sort("at", "event_id")
        .unique(["list", "product_id"], keep="last", maintain_order=True)
    )
    newest_order = pl.when(pl.col("at") == pl.col("ordered_at")).then("order_id").min().over("list")
    bought = (
        past.filter(pl.col("picks") == "bought", is_order)
        .filter(pl.col("order_id") == newest_order)
        .unique(["list", "product_id"])
    )
    return (
        pl.concat([in_cart, bought])
        .drop_nulls("product_id")
        .sort("list", "at", "product_id", descending=[False, True, False])
        .select(
            "list",
            "as_of",
            item="product_id",
            rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("list"),
        )
    )


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
