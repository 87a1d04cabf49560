"""A mail whose worth has run out does not go."""

from __future__ import annotations

from tests.serving.shop import HOUR, NOW
from tests.spec.guardrails.reading import holds

WINDOW = """
    cart_waiting_hours | goes      | because
    23                 | Tue 11:00 | -
    24                 | Tue 11:00 | -
"""
ASKED_FOR_LATER = """
    goes | because
    no   | it would be worth nothing after 2026-03-04 14:00 UTC
"""


def test_within_its_window():
    holds("too_late", WINDOW)


def test_too_late():
    holds("too_late", ASKED_FOR_LATER, asked={"earliest": NOW + 23 * HOUR})
