"""First-purchase nudge: a while after the sign-up there is still no order."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shows_what_they_are_likeliest_to_order

PARAMETERS = {"after_days": 7, "before_days": 60}
CUSTOMERS = """
    days_since_signup | orders | days_since_order | because                                               | worth_for
    6.9               | 0      | -                | -                                                     | -
    7                 | 0      | -                | they signed up 7 days ago and have still not ordered  | 48
    60                | 0      | -                | they signed up 60 days ago and have still not ordered | 48
    61                | 0      | -                | -                                                     | -
    20                | 1      | 3                | -                                                     | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("first_purchase_nudge", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("first_purchase_nudge")
