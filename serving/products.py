"""Which products an e-mail shows: on the shelf, not bought lately, the likeliest first."""

from __future__ import annotations

import polars as pl

from features.history import category_of
from features.settings import FeatureSettings
from serving.settings import PolicySettings

# What a trigger may pick from; each is a list of products per person, in the order to be shown.
PICKS = ("ranked", "category", "due", "cart", "bought")
LONGEST_LIST = 50


def picks_of(
    people: pl.DataFrame,
    items: pl.DataFrame,
    touched: pl.DataFrame,
    shelf: pl.DataFrame,
    *,
    policy: PolicySettings,
) -> pl.DataFrame:
    """Per person and pick: `products` and their `chances`, and how many were `fitting` at first.

    `items`: person, item, probability, rank, due_ratio, days_since_order, own. `touched`: person,
    pick (cart | bought), item, place. `shelf`: item, category, released_at of what is available.
    What lies in the cart or was just bought was the customer's own choice: it is never too recent.
    """
    asked = people.select("person", "as_of", "favourite_category")
    released = pl.col("released_at").is_null() | (pl.col("released_at") <= pl.col("as_of"))
    is_due = (pl.col("due_ratio") >= policy.due_share).fill_null(False) & pl.col("own")
    too_recent = (pl.col("days_since_order") < policy.recently_bought_days).fill_null(False)
    offered = (
        items.join(shelf, on="item", maintain_order="left")
        .join(asked, on="person", maintain_order="left")
        .filter(released)
        .with_columns(is_due=is_due, rested=~too_recent | is_due)
    )
    conditions = {
        "ranked": pl.lit(True),
        "category": pl.col("category") == pl.col("favourite_category"),
        "due": pl.col("is_due"),
    }
    own_choice = (
        touched.join(shelf, on="item", maintain_order="left")
        .join(asked.select("person", "as_of"), on="person", maintain_order="left")
        .filter(released)
        .join(
            items.select("person", "item", "probability"),
            on=["person", "item"],
            how="left",
            maintain_order="left",
        )
        .with_columns(rank=pl.col("place"), rested=pl.lit(True))
    )
    columns = ("person", "pick", "item", "probability", "rank", "rested")
    chosen = pl.concat(
        [
            *(
                offered.filter(condition).with_columns(pick=pl.lit(pick)).select(columns)
                for pick, condition in conditions.items()
            ),
            own_choice.select(columns),
        ]
    )
    return (
        chosen.sort("person", "pick", "rank", "item")
        .group_by("person", "pick")
        .agg(
            products=pl.col("item").filter("rested").head(LONGEST_LIST),
            chances=pl.col("probability").filter("rested").head(LONGEST_LIST),
            fitting=pl.len(),
        )
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
            left_on=["person", "picks"],
            right_on=["person", "pick"],
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


def shelf_of(products: pl.DataFrame, settings: FeatureSettings) -> pl.DataFrame:
    """Available products as `item`, with `category` cut to the depth at which features count."""
    return products.filter("available").select(
        "released_at",
        item="product_id",
        category=category_of("category", depth=settings.category_depth),
    )


def touched_of(history: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """What each person has in the cart, and what the newest order held: person, pick, item, place.

    A cart is what was added after the last order and not taken out since, newest first.
    """
    past = (
        history.filter(pl.col("kind").is_in(["cart_add", "cart_remove", "order"]))
        .join(people.select("person", "customer_id", "as_of"), on="customer_id")
        .filter(pl.col("at") < pl.col("as_of"), pl.col("known_at") <= pl.col("as_of"))
        .sort("person", "at", "event_id")
        .with_columns(is_order=pl.col("kind") == "order")
        .with_columns(
            ordered_at=pl.col("at").filter("is_order").last().over("person"),
            last_order=pl.col("order_id").filter("is_order").last().over("person"),
        )
        .drop_nulls("product_id")
    )
    since_order = pl.col("ordered_at").is_null() | (pl.col("at") > pl.col("ordered_at"))
    in_cart = (
        past.filter(~pl.col("is_order"), since_order)
        .unique(["person", "product_id"], keep="last", maintain_order=True)
        .filter(pl.col("kind") == "cart_add")
    )
    last_order = past.filter(pl.col("is_order"), pl.col("order_id") == pl.col("last_order")).unique(
        ["person", "product_id"], keep="last", maintain_order=True
    )
    both = [
        in_cart.select("person", "at", pick=pl.lit("cart"), item="product_id"),
        last_order.select("person", "at", pick=pl.lit("bought"), item="product_id"),
    ]
    return (
        pl.concat(both)
        .sort("person", "pick", "at", "item", descending=[False, False, True, False])
        .select(
            "person", "pick", "item",
            place=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("person", "pick"),
        )
    )  # fmt: skip
