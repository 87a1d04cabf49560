"""Payment benefit: a big cart, which a way of paying may tip."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shown

PARAMETERS = {"cart_value": 80, "from_hours": 12}
CUSTOMERS = """
    cart_value | cart_waiting_hours | because                                     | worth_for
    120.5      | 12                 | a cart worth 120.50 has waited for 12 hours | 48
    80         | 30                 | a cart worth 80.00 has waited for 30 hours  | 48
    79.9       | 30                 | -                                           | -
    120        | 11                 | -                                           | -
    0          | -                  | -                                           | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("payment_benefit", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_it_shows_their_cart():
    past = """
        ann | cart_add | 2026-03-03T11:00 | milk | 3
        ann | cart_add | 2026-03-03T11:05 | soap | 2
    """
    assert shown("payment_benefit", PARAMETERS, past) == ["soap", "milk"]
