"""The same e-mail does not come again so soon."""

from __future__ import annotations

from tests.serving.shop import shop
from tests.spec.guardrails.reading import holds

MAILS = """
    mails                | goes      | because
    cart_reminder 3d ago | Tue 11:00 | -
    cart_reminder 2d ago | no        | it left 2 days ago, and comes again after 3 days
    newsletter 2d ago    | Tue 11:00 | -
"""

# The cart was left two hours ago; a mail that left before was not about it.
OWED = """
    mails                 | goes      | because
    cart_reminder 3h ago  | Tue 11:00 | -
    cart_reminder 1h ago  | no        | it left 1 hour ago, and comes again after 3 days
    cart_reminder in 1h   | no        | it is promised for within the hour, and comes again after 3 days
    cart_reminder 0h ago  | no        | it left, or was promised for, less than an hour ago, and comes again after 3 days
"""  # noqa: E501
BY_NAME = """
    mails                | goes      | because
    cart_reminder 3h ago | Tue 11:00 | -
    cart_reminder 0h ago | Tue 11:00 | -
"""
TRANSACTIONAL = shop({}, {"cart_reminder": {"mail_class": "transactional"}})


def test_repeat():
    holds("repeat", MAILS)


def test_what_is_owed_comes_once_for_each_thing_that_happened():
    holds("repeat", OWED, TRANSACTIONAL)


def test_what_is_owed_comes_whenever_it_is_asked_for_by_name():
    by_name = {"emails": ["cart_reminder"]}
    holds("repeat", BY_NAME, TRANSACTIONAL, asked=by_name)
    holds("repeat", MAILS, asked=by_name)
