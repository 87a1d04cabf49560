"""Hours of peace lie between two e-mails of a class, and between the classes."""

from __future__ import annotations

from tests.serving.shop import caps, shop
from tests.spec.guardrails.reading import holds

MAILS = """
    mails              | goes      | because
    newsletter 26h ago | Tue 11:00 | -
    newsletter 25h ago | Tue 12:30 | a marketing e-mail left 25 hours ago, and 26 hours of peace lie between two of them
    newsletter in 3h   | no        | a marketing e-mail is promised for in 3 hours, and 26 hours of peace lie between two of them
"""  # noqa: E501
# A service e-mail before: only the peace between the classes counts.
OTHERS = """
    mails                 | goes      | because
    recommendation 6h ago | Tue 11:00 | -
    recommendation 5h ago | Tue 12:30 | an e-mail left 5 hours ago, and 6 hours of peace lie between any two
"""  # noqa: E501
OWED = """
    mails             | goes      | because
    newsletter 1h ago | Tue 11:00 | -
"""


def test_min_gap():
    holds("min_gap", MAILS, shop({}, {}, caps=caps(marketing={"per_24h": 3, "min_gap_hours": 26})))


def test_peace_between_the_classes():
    holds("min_gap", OTHERS, shop({}, {"recommendation": {"mail_class": "service"}}))


def test_what_is_owed_passes():
    holds("min_gap", OWED, shop({}, {"cart_reminder": {"mail_class": "transactional"}}))
