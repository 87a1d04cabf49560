"""Opt-in renewal: they agreed to e-mail long ago and should be asked again."""

from __future__ import annotations

from tests.spec.triggers.spec import check, shows_what_they_are_likeliest_to_order

PARAMETERS = {"after_days": 640}
CUSTOMERS = """
    email_consent | days_since_yes | because                                 | worth_for
    granted       | 640            | they last agreed to e-mail 640 days ago | 48
    granted       | 639            | -                                       | -
    denied        | 700            | -                                       | -
    unknown       | -              | -                                       | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("opt_in_renewal", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_what_it_shows():
    assert shows_what_they_are_likeliest_to_order("opt_in_renewal")
