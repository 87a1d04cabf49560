"""The open cart: what a customer has chosen and neither taken out nor ordered."""

from __future__ import annotations

import polars as pl

from features.feature import happened

# A cart older than this is forgotten rather than open.
CART_DAYS = 30
_NEVER = 2**62


def is_in_cart(whose: str) -> pl.Expr:
    """Whether a line is what was put into the open cart of `whose`, the column of its past.

    Put in within CART_DAYS, the product not taken out and nothing ordered at the same time or
    later. Reads kind, product_id and age (in microseconds) of all lines of that past.
    """
    taken_out = pl.when(happened("cart_remove")).then("age").min().over(whose, "product_id")
    ordered = pl.when(happened("order")).then("age").min().over(whose)
    still_there = pl.col("age") < pl.min_horizontal(
        taken_out.fill_null(_NEVER), ordered.fill_null(_NEVER)
    )
    return happened("cart_add", days=CART_DAYS, where=still_there)
