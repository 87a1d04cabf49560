"""Anniversary of the sign-up."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shows_what_they_are_likeliest_to_order

PARAMETERS = {"before_days": 2}
CUSTOMERS = """
    days_to_signup_anniversary | anniversary_years | because                                                     | worth_for
    3                          | 1                 | -                                                           | -
    2                          | 1                 | it is in 2 days that they will have been with us for 1 year | 48
    0                          | 3                 | it is today that they will have been with us for 3 years    | 48
    -                          | -                 | -                                                           | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("signup_anniversary", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("signup_anniversary")
