"""Welcome: they signed up lately and have not ordered yet."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shows_what_they_are_likeliest_to_order

PARAMETERS = {"within_days": 7}
CUSTOMERS = """
    days_since_signup | orders | days_since_order | because                                                     | worth_for
    0.2               | 0      | -                | they signed up less than a day ago and have not ordered yet | 24
    1                 | 0      | -                | they signed up 1 day ago and have not ordered yet           | 24
    7                 | 0      | -                | they signed up 7 days ago and have not ordered yet          | 24
    7.1               | 0      | -                | -                                                           | -
    1                 | 1      | 1                | -                                                           | -
    -                 | 0      | -                | -                                                           | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("welcome", PARAMETERS, CUSTOMERS, deadline_hours=24)


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("welcome")
