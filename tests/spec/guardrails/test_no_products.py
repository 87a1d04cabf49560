"""An e-mail that shows products stays at home where none of them is on the shelf."""

from __future__ import annotations

import pytest

from tests.serving.histories import answers
from tests.serving.shop import shop
from tests.spec.guardrails.reading import holds

EMPTY = """
    goes | because
    no   | no product that fits it is available
"""
NONE_SHOWN = """
    goes      | because
    Tue 11:00 | -
"""


def test_no_products():
    holds("no_products", EMPTY, products={})


def test_an_email_without_products_needs_none():
    holds("no_products", NONE_SHOWN, shop({}, {"cart_reminder": {"products": 0}}), products={})


SHELF = """
    product_id | category     | available | released_at
    milk       | DAIRY > MILK | no        | -
    bread      | BAKERY > RYE | yes       | 2026-04-01T00:00
    soap       | HOME > CARE  | yes       | -
"""
LEFT = """
    ann | consent  | 2025-01-01T00:00 | granted
    ann | cart_add | 2026-03-03T14:00 | {product}
"""


@pytest.mark.parametrize(
    ("product", "shown"), [("soap", ["soap"]), ("milk", []), ("bread", []), ("unheard_of", [])]
)
def test_only_what_is_on_the_shelf_and_released_is_shown(product, shown):
    got = answers(LEFT.format(product=product), "ann", on_shelf=SHELF)
    assert got["products"].item().to_list() == shown
    assert got["action"].item() == ("send" if shown else "wait")
