"""Click follow-up: they clicked in an e-mail and have not ordered since."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shows_what_they_are_likeliest_to_order

PARAMETERS = {"after_days": 1, "before_days": 4}
CUSTOMERS = """
    open_click_days | because                                                         | worth_for
    0.9             | -                                                               | -
    1               | they clicked in an e-mail 1 day ago and have not ordered since  | 96
    4               | they clicked in an e-mail 4 days ago and have not ordered since | 24
    4.1             | -                                                               | -
    -               | -                                                               | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("click_followup", PARAMETERS, CUSTOMERS, deadline_hours=120)


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("click_followup")
