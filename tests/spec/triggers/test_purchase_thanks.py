"""Thanks for the purchase: right after an order."""

from __future__ import annotations

import pytest

from tests.serving.histories import answers
from tests.serving.shop import arm_of
from tests.spec.triggers.spec import check, only, shown

PARAMETERS = {"within_hours": 48}
CUSTOMERS = """
    days_since_order | last_order_value  | because                             | worth_for
    0.125            | 45                | they ordered for 45.00 3 hours ago  | 45
    2                | 45                | they ordered for 45.00 48 hours ago | 0
    1                | -                 | they ordered 24 hours ago           | 24
    2.1              | 45                | -                                   | -
    -                | -                 | -                                   | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("purchase_thanks", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_it_shows_what_they_bought():
    past = """
        ann | order | 2026-03-03T10:00 | soap | 5
    """
    assert shown("purchase_thanks", PARAMETERS, past) == ["soap"]


@pytest.mark.parametrize(
    ("last", "said"),
    [("5", "they ordered for 5.00 6 hours ago"), ("5 EUR", "they ordered 6 hours ago")],
)
def test_no_older_orders_amount_is_told(last, said):
    past = f"""
        ann | consent | 2025-01-01T00:00 | granted
        ann | order | 2026-02-03T10:00 | soap | 25.61
        ann | order | 2026-03-03T10:00 | soap | {last}
    """
    told = answers(
        past, "ann", settings=only("purchase_thanks", PARAMETERS), emails=["purchase_thanks"]
    )
    assert arm_of(told.row(0, named=True), "purchase_thanks")["because"] == said
