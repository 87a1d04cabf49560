"""Newsletter: they have heard nothing from us for a while."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shows_what_they_are_likeliest_to_order

PARAMETERS = {"quiet_days": 14, "known_days": 14}
CUSTOMERS = """
    days_since_send | known_days | because                                 | worth_for
    14              | 100        | our last e-mail to them was 14 days ago | 48
    -               | 100        | they have had no e-mail from us yet     | 48
    13.9            | 100        | -                                       | -
    -               | 13         | -                                       | -
    -               | -          | -                                       | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("newsletter", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("newsletter")
