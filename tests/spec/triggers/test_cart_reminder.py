"""Cart reminder: a cart waits; after a day it is worth nothing."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"within_hours": 24}
CUSTOMERS = """
    cart_waiting_hours | cart_items | because                                              | worth_for
    0.1                | 1          | a cart of 1 product has waited for less than an hour | 23.9
    5                  | 2          | a cart of 2 products has waited for 5 hours          | 19
    23                 | 2          | a cart of 2 products has waited for 23 hours         | 1
    24.1               | 2          | -                                                    | -
    -                  | 0          | -                                                    | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("cart_reminder", PARAMETERS, CUSTOMERS, deadline_hours=24)


def test_it_shows_their_cart_the_newest_first():
    past = """
        ann | cart_add | 2026-03-03T11:00 | milk | 3
        ann | cart_add | 2026-03-03T11:05 | soap | 2
    """
    assert shown("cart_reminder", PARAMETERS, past) == ["soap", "milk"]


def test_what_was_taken_out_or_ordered_is_no_cart():
    past = """
        ann | cart_add | 2026-03-03T11:00 | milk | 3
        ann | cart_add | 2026-03-03T11:05 | soap | 2
        ann | cart_remove | 2026-03-03T12:00 | soap
    """
    assert shown("cart_reminder", PARAMETERS, past) == ["milk"]
