"""Birthday: a day of theirs is near."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shows_what_they_are_likeliest_to_order

PARAMETERS = {"before_days": 2}
CUSTOMERS = """
    days_to_birthday | because                     | worth_for
    3                | -                           | -
    2                | their birthday is in 2 days | 48
    1                | their birthday is tomorrow  | 48
    0                | their birthday is today     | 48
    -                | -                           | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("birthday", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("birthday")
