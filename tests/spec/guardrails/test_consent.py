"""Whoever was never asked, or did not answer, gets no mail but what is owed to them."""

from __future__ import annotations

from tests.serving.shop import shop
from tests.spec.guardrails.reading import holds

WHO = """
    email_consent | consent_since    | goes      | because
    granted       | 2025-01-01T00:00 | Tue 11:00 | -
    denied        | 2025-06-03T00:00 | no        | they said no to e-mail, as we learned on 2025-06-03
    denied        | -                | no        | they said no to e-mail
    unknown       | -                | no        | nobody knows that they agreed to e-mail
    -             | -                | no        | nobody knows that they agreed to e-mail
    a new word    | -                | no        | nobody knows that they agreed to e-mail
"""  # noqa: E501
OWED = """
    email_consent | goes      | because
    denied        | Tue 11:00 | -
    unknown       | Tue 11:00 | -
"""


def test_consent():
    holds("consent", WHO)


def test_service_mail_needs_consent_too():
    holds("consent", WHO, shop({}, {"cart_reminder": {"mail_class": "service"}}))


def test_what_is_owed_needs_none():
    holds("consent", OWED, shop({}, {"cart_reminder": {"mail_class": "transactional"}}))
