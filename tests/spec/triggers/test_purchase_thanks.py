"""Thanks for the purchase: right after an order."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"within_hours": 48}
CUSTOMERS = """
    days_since_order | last_basket_value | because                             | worth_for
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
