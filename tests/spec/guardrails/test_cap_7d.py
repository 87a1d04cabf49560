"""No more e-mails of a class than its cap in any 7 days."""

from __future__ import annotations

from tests.serving.shop import shop
from tests.spec.guardrails.reading import holds

MAILS = """
    mails                                                      | goes      | because
    newsletter 30h ago, newsletter 60h ago                      | Tue 11:00 | -
    newsletter 30h ago, newsletter 60h ago, newsletter 90h ago  | no        | 3 marketing e-mails in 7 days is the most, sent and promised together
    newsletter 30h ago, newsletter 60h ago, newsletter 169h ago | Tue 11:00 | -
    newsletter 30h ago, newsletter 60h ago, newsletter in 40h   | no        | 3 marketing e-mails in 7 days is the most, sent and promised together
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


def test_cap_7d():
    holds("cap_7d", MAILS)


def test_what_is_owed_passes():
    holds("cap_7d", OWED, shop({}, {"cart_reminder": {"mail_class": "transactional"}}))


def test_a_class_counts_its_own():
    holds("cap_7d", OTHERS, shop({}, {"recommendation": {"mail_class": "service"}}))
    holds("cap_7d", OTHERS, shop({}, {"recommendation": {"mail_class": "transactional"}}))
