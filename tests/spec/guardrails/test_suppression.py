"""Nobody is mailed who unsubscribed, complained, is to be forgotten or cannot be reached."""

from __future__ import annotations

from tests.serving.shop import shop
from tests.spec.guardrails.reading import holds

WHO = """
    suppressed_by | suppressed_at    | goes      | because
    -             | -                | Tue 11:00 | -
    unsubscribe   | 2026-03-01T00:00 | no        | they unsubscribed on 2026-03-01
    complaint     | 2026-03-01T00:00 | no        | they reported our mail as spam on 2026-03-01
    bounce        | 2026-03-01T00:00 | no        | our mail came back for good on 2026-03-01
    erase         | 2026-03-01T00:00 | no        | they asked to be forgotten on 2026-03-01
    a new word    | -                | no        | they were suppressed on an unknown day
"""
OWED = """
    suppressed_by | suppressed_at    | goes      | because
    unsubscribe   | 2026-03-01T00:00 | Tue 11:00 | -
    complaint     | 2026-03-01T00:00 | Tue 11:00 | -
    bounce        | 2026-03-01T00:00 | no        | our mail came back for good on 2026-03-01
    erase         | 2026-03-01T00:00 | no        | they asked to be forgotten on 2026-03-01
    a new word    | -                | no        | they were suppressed on an unknown day
"""


def test_suppression():
    holds("suppression", WHO)


def test_what_is_owed_goes_wherever_it_arrives():
    holds("suppression", OWED, shop({}, {"cart_reminder": {"mail_class": "transactional"}}))
