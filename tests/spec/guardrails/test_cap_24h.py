"""No more e-mails of a class than its cap in any 24 hours, sent and promised together."""

from __future__ import annotations

from tests.serving.shop import shop
from tests.spec.guardrails.reading import holds

MAILS = """
    mails              | goes      | because
    newsletter 25h ago | Tue 11:00 | -
    newsletter 21h ago | Tue 14:30 | 1 marketing e-mail in 24 hours is the most, sent and promised together
    newsletter in 10h  | no        | 1 marketing e-mail in 24 hours is the most, sent and promised together
    newsletter in 25h  | Tue 11:00 | -
"""  # noqa: E501
OWED = """
    mails                                                  | goes      | because
    newsletter 1h ago, newsletter 2h ago, newsletter in 1h | Tue 11:00 | -
"""
# The mails before were no marketing: each class counts its own.
OTHERS = """
    mails                                                                | goes      | because
    recommendation 21h ago, recommendation 30h ago, recommendation 2d ago | Tue 11:00 | -
"""


def test_cap_24h():
    holds("cap_24h", MAILS)


def test_what_is_owed_passes():
    holds("cap_24h", OWED, shop({}, {"cart_reminder": {"mail_class": "transactional"}}))


def test_a_class_counts_its_own():
    holds("cap_24h", OTHERS, shop({}, {"recommendation": {"mail_class": "service"}}))
    holds("cap_24h", OTHERS, shop({}, {"recommendation": {"mail_class": "transactional"}}))
