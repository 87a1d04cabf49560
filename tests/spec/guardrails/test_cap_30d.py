"""No more e-mails of a class than its cap in any 30 days."""

from __future__ import annotations

from tests.serving.shop import shop
from tests.spec.guardrails.reading import holds

MAILS = """
    mails                                                                                                                                                                        | goes      | because
    newsletter 2d ago, newsletter 5d ago, newsletter 9d ago, newsletter 12d ago, newsletter 16d ago, newsletter 19d ago, newsletter 23d ago                     | Tue 11:00 | -
    newsletter 2d ago, newsletter 5d ago, newsletter 9d ago, newsletter 12d ago, newsletter 16d ago, newsletter 19d ago, newsletter 23d ago, newsletter 26d ago | no        | 8 marketing e-mails in 30 days is the most, sent and promised together
    newsletter 2d ago, newsletter 5d ago, newsletter 9d ago, newsletter 12d ago, newsletter 16d ago, newsletter 19d ago, newsletter 23d ago, newsletter 31d ago | Tue 11:00 | -
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


def test_cap_30d():
    holds("cap_30d", MAILS)


def test_what_is_owed_passes():
    holds("cap_30d", OWED, shop({}, {"cart_reminder": {"mail_class": "transactional"}}))


def test_a_class_counts_its_own():
    holds("cap_30d", OTHERS, shop({}, {"recommendation": {"mail_class": "service"}}))
    holds("cap_30d", OTHERS, shop({}, {"recommendation": {"mail_class": "transactional"}}))
