"""Site return: back after a long absence, and no order yet."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shows_what_they_are_likeliest_to_order

PARAMETERS = {"away_days": 45, "within_hours": 48}
CUSTOMERS = """
    days_away | days_since_session | days_since_order | because                                         | worth_for
    60        | 0.25               | 70               | they came back 6 hours ago, after 60 days away  | 42
    45        | 2                  | -                | they came back 48 hours ago, after 45 days away | 0
    44        | 0.25               | 70               | -                                               | -
    60        | 2.1                | 70               | -                                               | -
    60        | 0.25               | 0.1              | -                                               | -
    -         | -                  | 70               | -                                               | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("site_return", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("site_return")
