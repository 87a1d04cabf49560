"""What a customer is about to do: what was looked at twice, searched for, left in a cart."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.cart import CART_DAYS
from features.feature import DAY, HOUR, happened, of
from features.lines import Floats, Lines, Reading
from features.readings import (
    count,
    days_since_last,
    different,
    hours_since_last,
    is_since,
    money,
)

_feature = of("acts")
_product = of("products")

_in_cart = pl.col("in_cart")
_at_checkout = is_since(happened("checkout", days=CART_DAYS), happened("order"))

# A cart is left when no order follows within a day.
_next_order_came_late = (pl.col("age") - pl.col("next_order_age").fill_null(0)) > 24 * HOUR
_left = happened("cart_add", days=30, where=_next_order_came_late)

# Looked at lately, and not ordered for so long that it cannot be about an order on its way.
_tempts = (pl.col("last_view") <= 7 * DAY) & (pl.col("last_order").fill_null(2**62) > 30 * DAY)
_VIEWS = pl.col("views_7d")


def _most_views(lines: Lines) -> Floats:
    return lines.greatest(lines.numbers(_VIEWS), _tempts, where_none=0).astype(np.float64)


def _cart_stage(lines: Lines) -> pl.Series:
    stage = np.where(lines.counts(_in_cart) > 0, 1, 0)
    stage[lines.counts(_at_checkout) > 0] = 2
    return _STAGES[stage]


_STAGES = pl.Series(["none", "cart", "checkout"])
# A search is answered for so long; the names of the features say so too.
SEARCH_DAYS = 7
_searched = happened("search", days=SEARCH_DAYS)
_open_search = is_since(_searched, happened("order"))

FEATURES = (
    _product(
        "repeat_views_7d",
        "products viewed at least twice within 7 days",
        count(pl.col("views_7d") > 1),
        0,
    ),
    _product(
        "unbought_views_7d",
        "products viewed within 7 days and not ordered since",
        count(
            (pl.col("last_view") <= 7 * DAY)
            & (pl.col("last_view") < pl.col("last_order").fill_null(2**62))
        ),
        0,
    ),
    _product(
        "most_views_7d",
        "views within 7 days of the product viewed most that was not ordered within 30 days",
        Reading((_VIEWS, _tempts), _most_views),
        0,
    ),
    _feature(
        "days_since_view",
        "days since a product was viewed",
        days_since_last(happened("view")),
        None,
    ),
    _feature("searches_7d", "searches within 7 days", count(_searched), 0),
    _feature(
        "cart_items",
        "different products in the open cart",
        different("product_id_number", _in_cart),
        0,
    ),
    _feature(
        "cart_waiting_hours",
        "hours since something was last put into the open cart; null without one",
        hours_since_last(_in_cart),
        None,
    ),
    _feature(
        "cart_value",
        "money in the open cart; null where no price in it is known in the base currency",
        money("amount", _in_cart),
        0,
    ),
    _feature(
        "carts_left_30d",
        "days within the last 30 on which a cart was filled and no order followed within a day",
        different("local_day", _left),
        0,
    ),
    _feature(
        "checkout_waiting_hours",
        "hours since a checkout that no order followed; null without one",
        hours_since_last(_at_checkout),
        None,
    ),
    _feature(
        "cart_stage",
        "how far an open purchase has come: none, cart or checkout",
        Reading((_at_checkout, _in_cart), _cart_stage),
        "none",
    ),
    _feature(
        "open_searches_7d",
        "searches within 7 days that no order has followed",
        count(_open_search),
        0,
    ),
    _feature(
        "open_search_hours",
        "hours since the last search within 7 days that no order has followed; null without one",
        hours_since_last(_open_search),
        None,
    ),
)
