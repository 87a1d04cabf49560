"""Affinity scores: which categories or products a customer is likely to order next.

Candidates are the customer's own items and what is popular with everyone, so that a stranger gets
the popular ones; trees give each candidate a probability. One road for categories and products.
"""

from __future__ import annotations

import polars as pl

from training.model.model import Model

KEY = ("customer_id", "as_of")

# Of the customer and the item, from features.items; zero where the customer never touched it, and
# null where money was spent in another currency only.
COUNTS = (
    "orders_28d", "orders_91d", "orders_365d", "views_28d", "carts_28d", "share_365d",
    "quantity_365d", "spend_365d",
)  # fmt: skip
# Null where there is nothing to measure: never ordered, never viewed, ordered but once.
SPANS = ("days_since_order", "days_since_view", "gap_days", "due_ratio")

MEANINGS = {
    "orders_28d": "own orders of the item in the last 28 days",
    "orders_91d": "own orders of the item in the last 91 days",
    "orders_365d": "own orders of the item in the last 365 days",
    "views_28d": "own views of the item in the last 28 days",
    "carts_28d": "how often the customer put the item into the cart in the last 28 days",
    "share_365d": "share of the customer's orders of 365 days that hold the item",
    "quantity_365d": "how many the customer ordered in 365 days",
    "spend_365d": "what the customer spent on the item in 365 days, where known",
    "days_since_order": "days since the customer last ordered the item",
    "days_since_view": "days since the customer last viewed the item",
    "gap_days": "the customer's mean gap between two orders of the item",
    "due_ratio": "days since the last order of the item over that gap",
    "popularity": "ln of the share of recent customers who ordered the item",
    "trend": "ln of the item's buyers of 28 days over those of the whole recent period",
    "habit": "orders of the item per buyer: how often it is bought again",
    "own_orders": "the customer's orders in the last 365 days",
    "own_items": "how many different candidates are the customer's own",
}
INPUTS = tuple(MEANINGS)


def candidate_items(
    items: pl.DataFrame,
    popular: pl.DataFrame,
    spine: pl.DataFrame,
    *,
    most_own: int,
    most_popular: int,
) -> pl.DataFrame:
    """For each spine row its candidates: KEY, item, `own`, `place` (of the spine row) and INPUTS.

    Own items (features.items) come by how often the customer ordered, carted or viewed them, then
    by how recently; `popular` has item, rank (from 1), popularity, trend and habit.
    """
    # Eager on purpose: for one customer, planning a lazy query takes longer than all of this.
    places = spine.select(KEY).with_row_index("place")
    own_orders = pl.when(pl.col("share_365d") > 0).then(
        (pl.col("orders_365d") / pl.col("share_365d")).round()
    )
    own = (
        places.join(items.select(*KEY, "item", *COUNTS, *SPANS), on=KEY)
        .with_columns(
            own=pl.lit(True),
            interest=pl.col("orders_365d") + pl.col("carts_28d") + pl.col("views_28d"),
            own_orders=own_orders.max().over("place"),
        )
        .sort(
            "place", "interest", "days_since_order", "item",
            descending=[False, True, False, False], nulls_last=True,
        )
        .filter(pl.int_range(pl.len()).over("place") < most_own)
        .drop("interest")
    )  # fmt: skip
    most = popular.filter(pl.col("rank") <= most_popular).select("item")
    others = places.join(most, how="cross").join(own, on=["place", "item"], how="anti")
    return (
        pl.concat([own, others], how="diagonal")
        .join(popular.drop("rank"), on="item", how="left")
        .with_columns(
            # A null of the customer's own means "not known", which is not nothing.
            pl.when("own").then(pl.col(COUNTS)).otherwise(0.0),
            pl.col("own").fill_null(False),
            own_orders=pl.col("own_orders").max().over("place").fill_null(0.0),
            own_items=pl.col("own").sum().over("place").cast(pl.Float64),
        )
        .select("place", *KEY, "item", "own", *INPUTS)
    )


def score_items(model: Model, items: pl.DataFrame, spine: pl.DataFrame) -> pl.DataFrame:
    """The candidates of each spine row with `probability` of an order and `rank` from 1.

    Columns: customer_id, as_of, item, probability, rank, due_ratio, days_since_order, own. Rows
    follow the spine, the likeliest item first; a tie goes to the item first in the alphabet.
    """
    limits = model.tables["candidates"].row(0, named=True)
    candidates = candidate_items(items, model.tables["popular"], spine, **limits)
    return (
        candidates.with_columns(model.probability(candidates.select(model.inputs)))
        .sort("place", "probability", "item", descending=[False, True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).over("place"))
        .select(*KEY, "item", "probability", "rank", "due_ratio", "days_since_order", "own")
    )
