"""What a customer buys, how often, for how much and in which rhythm."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.feature import DAY, MONEY, happened, of, share
from features.lines import Floats, Lines, Reading
from features.readings import (
    count,
    days_since_first,
    days_since_last,
    latest,
    money,
    most_common,
    of_last,
    shares,
    total,
)

_feature = of("acts")
_product = of("products")
_customer = of("customer")

_ORDER = happened("order")
_PRICED = happened("order", where=pl.col("amount").is_not_null())
_MINUTES_A_DAY = 1_440

# A longer past than `newest_events` is forgotten, here as everywhere.
_EVER = " within the newest events kept"
_UNKNOWN = "null where there were orders and none in the base currency"
_WITH_CARE = f"refunds not taken off; {_UNKNOWN}"


def _orders(days: int) -> Reading:
    return count(happened("order", days=days))


def _spend(days: int) -> Reading:
    return money("amount", happened("order", days=days))


# The rhythm, from the whole minutes between one order and the next.
_GAP, _IS_GAP = pl.col("gap_minutes").fill_null(0), pl.col("gap_minutes").is_not_null()


def _gap_mean(lines: Lines) -> Floats:
    return shares(lines.sums(lines.numbers(_GAP), _IS_GAP), lines.counts(_IS_GAP)) / _MINUTES_A_DAY


def _gap_spread(lines: Lines) -> Floats:
    gap, gaps = lines.numbers(_GAP), lines.counts(_IS_GAP).astype(np.float64)
    total, squares = (
        lines.sums(numbers, _IS_GAP).astype(np.float64) for numbers in (gap, gap * gap)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (squares - total * total / gaps) / (gaps - 1)
    spread = np.sqrt(np.maximum(variance, 0)) / _MINUTES_A_DAY
    return np.where(gaps > 1, spread, np.nan)


_LINES, _HAS_LINES = pl.col("lines").fill_null(0), pl.col("lines").is_not_null()


def _lines_per_order(lines: Lines) -> Floats:
    return shares(lines.sums(lines.numbers(_LINES), _HAS_LINES), lines.counts(_HAS_LINES))


# Least squares over the six 30-day bins of the last 180 days; the newest bin is number 0, so its
# distance from the middle is +2.5 and the oldest one's -2.5. Doubled, to stay with integers.
_bin = (pl.col("age") - 1) // (30 * DAY)
_doubled_distance = 5 - 2 * _bin
_SQUARED_DISTANCES = 17.5

FEATURES = (
    _feature("orders", f"orders{_EVER}", count(_ORDER), 0),
    _feature("orders_30d", "orders within 30 days", _orders(30), 0),
    _feature("orders_90d", "orders within 90 days", _orders(90), 0),
    _feature("orders_365d", "orders within a year", _orders(365), 0),
    _feature("spend_30d", f"money spent within 30 days, {_WITH_CARE}", _spend(30), 0),
    _feature("spend_90d", f"money spent within 90 days, {_WITH_CARE}", _spend(90), 0),
    _feature("spend_365d", f"money spent within a year, {_WITH_CARE}", _spend(365), 0),
    _feature("spend", f"money spent{_EVER}, {_WITH_CARE}", money("amount", _ORDER), 0),
    _feature(
        "priced_orders", f"orders with a price in the base currency{_EVER}", count(_PRICED), 0
    ),
    _customer("basket_value", f"money per order{_EVER}", share("spend", "priced_orders"), None),
    _feature(
        "last_basket_value",
        "money of the last order that has a price in the base currency",
        latest("amount", _PRICED, unit=MONEY),
        None,
    ),
    _feature(
        "last_order_value",
        "money of the last order, null where it has no price in the base currency",
        of_last("amount", _ORDER, unit=MONEY),
        None,
    ),
    _feature(
        "lines_per_order",
        f"lines per order{_EVER}",
        Reading((_LINES, _HAS_LINES), _lines_per_order),
        None,
    ),
    _feature("days_since_order", "days since the last order", days_since_last(_ORDER), None),
    _feature(
        "days_since_first_order",
        f"days since the first order{_EVER}",
        days_since_first(_ORDER),
        None,
    ),
    _feature(
        "order_gap_days_mean",
        f"days from one order to the next, on average{_EVER}; null with fewer than two orders",
        Reading((_GAP, _IS_GAP), _gap_mean),
        None,
    ),
    _feature(
        "order_gap_days_std",
        f"spread of the days from one order to the next{_EVER}; null with fewer than three orders",
        Reading((_GAP, _IS_GAP), _gap_spread),
        None,
    ),
    _customer(
        "silence_ratio",
        "days since the last order, in units of the usual days between orders",
        share("days_since_order", "order_gap_days_mean"),
        None,
    ),
    _feature(
        "orders_slope",
        "by how many orders per 30 days the customer orders more every 30 days, over 180 days",
        total(_doubled_distance, happened("order", days=180), unit=2 * _SQUARED_DISTANCES),
        0,
    ),
    _feature(
        "discount_365d",
        f"discount got within a year; {_UNKNOWN}",
        money("discount", happened("order", days=365)),
        0,
    ),
    _customer(
        "discount_share_365d",
        "discount as a share of the price before discount, within a year",
        pl.when(pl.col("discount_365d") + pl.col("spend_365d") > 0).then(
            pl.col("discount_365d") / (pl.col("discount_365d") + pl.col("spend_365d"))
        ),
        None,
    ),
    _feature(
        "coupon_orders_365d",
        "orders with a coupon within a year",
        count(happened("order", days=365, where=pl.col("coupon").is_not_null())),
        0,
    ),
    _feature(
        "redeems_90d", "coupons redeemed within 90 days", count(happened("redeem", days=90)), 0
    ),
    _feature("refunds_365d", "refunds within a year", count(happened("refund", days=365)), 0),
    _feature(
        "refunded_365d",
        "money refunded within a year; null where no refund is in the base currency",
        money("amount", happened("refund", days=365)),
        0,
    ),
    _customer(
        "refund_share_365d",
        "money refunded as a share of money spent, within a year",
        share("refunded_365d", "spend_365d"),
        None,
    ),
    _feature(
        "payment_method",
        "the way of paying used most within a year",
        most_common("payment", happened("order", days=365)),
        None,
    ),
    _product(
        "distinct_products_365d",
        "different products ordered within a year",
        count(pl.col("orders_365d") > 0),
        0,
    ),
    _product(
        "repeated_products_365d",
        "different products in more than one order within a year",
        count(pl.col("orders_365d") > 1),
        0,
    ),
    _customer(
        "repeat_share_365d",
        "share of the products ordered within a year that were in more than one order",
        share("repeated_products_365d", "distinct_products_365d"),
        None,
    ),
)
