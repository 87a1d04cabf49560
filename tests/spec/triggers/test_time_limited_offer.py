"""Time-limited offer: a cart that a reminder did not move."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"from_hours": 24, "until_hours": 96}
CUSTOMERS = """
    cart_waiting_hours | cart_items | because                                           | worth_for
    23.9               | 2          | -                                                 | -
    24                 | 2          | a cart of 2 products has stayed open for 24 hours | 36
    96                 | 1          | a cart of 1 product has stayed open for 96 hours  | 36
    97                 | 1          | -                                                 | -
    -                  | 0          | -                                                 | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("time_limited_offer", PARAMETERS, CUSTOMERS, deadline_hours=36)


def test_it_shows_their_cart():
    past = """
        ann | cart_add | 2026-03-03T11:00 | milk | 3
        ann | cart_add | 2026-03-03T11:05 | soap | 2
    """
    assert shown("time_limited_offer", PARAMETERS, past) == ["soap", "milk"]
