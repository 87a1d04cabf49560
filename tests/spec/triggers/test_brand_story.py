"""Brand story: they know of us, and have neither ordered nor looked closely."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shows_what_they_are_likeliest_to_order

PARAMETERS = {"after_days": 3, "views": 2}
CUSTOMERS = """
    known_days | views_30d | orders | because                                                                                       | worth_for
    10         | 1         | 0      | we have known them for 10 days, and they have looked at 1 product in 30 days and ordered none | 48
    3          | 0         | 0      | we have known them for 3 days, and they have looked at 0 products in 30 days and ordered none | 48
    2.9        | 0         | 0      | -                                                                                             | -
    10         | 3         | 0      | -                                                                                             | -
    10         | 1         | 1      | -                                                                                             | -
"""  # noqa: E501


def test_whom_it_is_for_and_what_is_said():
    check("brand_story", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("brand_story")
