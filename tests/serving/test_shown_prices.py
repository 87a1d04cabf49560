"""The prices of what an e-mail shows, from the shelf into its value."""

from __future__ import annotations

import pytest

from serving.stock import prices_in, stock_of
from tests.serving.histories import answers, shelf
from tests.serving.shop import arm_of, shop

SHELF = """
    product_id | category     | available | released_at | price | currency
    milk       | DAIRY > MILK | yes       | -           | 50    | USD
    soap       | HOME > CARE  | yes       | -           | 90    | USD
    tea        | HOME > TEA   | yes       | -           | 70000 | KRW
    gone       | HOME > TEA   | no        | -           | 5     | USD
"""
TOLD = """
    ann | consent | 2025-01-01T00:00 | granted
    ann | order   | 2026-01-20T15:00 | milk | 12
    ann | order   | 2026-01-21T15:00 | soap | 12
    ann | order   | 2026-01-22T15:00 | tea  | 12
"""


def test_prices_are_those_of_the_shops_currency_by_place() -> None:
    stock = stock_of(shelf(SHELF), depth=2)
    assert prices_in(stock, "USD").to_list() == [50.0, 90.0, None]
    assert prices_in(stock, "KRW").to_list() == [None, None, 70000.0]


def test_the_mean_price_of_what_is_shown_moves_the_margin() -> None:
    margins = {}
    for products in (0.0, 2.0):
        settings = shop({"products_per_order": products}, {})
        row = answers(TOLD, "ann", settings=settings, on_shelf=SHELF).row(0, named=True)
        margins[products] = arm_of(row, "recommendation")["margin"]
    # A usual basket of 12; milk and soap cost 70 in the mean, what tea costs is not known.
    assert margins[2.0] / margins[0.0] == pytest.approx((12 / 2 + 70) / 12, rel=1e-4)
