"""VIP offer: they spend much and have not ordered for a few days."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shows_what_they_are_likeliest_to_order

PARAMETERS = {"spend_365d": 3000, "silent_days": 14}
CUSTOMERS = """
    spend_365d | days_since_order | because                                                        | worth_for
    3200.5     | 20               | they spent 3200.50 within a year, and last ordered 20 days ago | 48
    2999       | 20               | -                                                              | -
    3200       | 13               | -                                                              | -
    -          | 20               | -                                                              | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("vip_offer", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("vip_offer")
