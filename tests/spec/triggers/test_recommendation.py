"""Recommendation: their taste is known from orders."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shows_what_they_are_likeliest_to_order

PARAMETERS = {"orders": 1, "silent_days": 3}
CUSTOMERS = """
    orders | days_since_order | because                                             | worth_for
    1      | 3                | 1 order tells their taste; the last was 3 days ago  | 48
    41     | 5                | 41 orders tell their taste; the last was 5 days ago | 48
    41     | 2.9              | -                                                   | -
    0      | -                | -                                                   | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("recommendation", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("recommendation")
