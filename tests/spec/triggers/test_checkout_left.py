"""Checkout left: they were about to pay, and did not."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"within_hours": 24}
CUSTOMERS = """
    checkout_waiting_hours | because                                      | worth_for
    0.5                    | they left the checkout less than an hour ago | 23.5
    5                      | they left the checkout 5 hours ago           | 19
    24                     | they left the checkout 24 hours ago          | 0
    24.1                   | -                                            | -
    -                      | -                                            | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("checkout_left", PARAMETERS, CUSTOMERS, deadline_hours=24)


def test_it_shows_their_cart_the_newest_first():
    past = """
        ann | cart_add | 2026-03-03T11:00 | milk | 3
        ann | cart_add | 2026-03-03T11:05 | soap | 2
        ann | checkout | 2026-03-03T11:10
    """
    assert shown("checkout_left", PARAMETERS, past) == ["soap", "milk"]
