"""Nobody is mailed who unsubscribed, complained, is to be forgotten or cannot be reached."""

from __future__ import annotations

from tests.serving.shop import shop
from tests.spec.guardrails.reading import holds

WHO = """
    suppressed_by | suppressed_at    | goes      | because
    -             | -                | Tue 11:00 | -
    unsubscribe   | 2026-03-01T00:00 | no        | they unsubscribed, as we learned on 2026-03-01
    complaint     | 2026-03-01T00:00 | no        | they reported our mail as spam, as we learned on 2026-03-01
    bounce        | 2026-03-01T00:00 | no        | our mail came back for good, as we learned on 2026-03-01
    erase         | 2026-03-01T00:00 | no        | they asked to be forgotten, as we learned on 2026-03-01
    a new word    | -                | no        | they were suppressed, as we learned on an unknown day
"""  # noqa: E501
OWED = """
    suppressed_by | suppressed_at    | goes      | because
    unsubscribe   | 2026-03-01T00:00 | Tue 11:00 | -
    complaint     | 2026-03-01T00:00 | Tue 11:00 | -
    bounce        | 2026-03-01T00:00 | no        | our mail came back for good, as we learned on 2026-03-01
    erase         | 2026-03-01T00:00 | no        | they asked to be forgotten, as we learned on 2026-03-01
    a new word    | -                | no        | they were suppressed, as we learned on an unknown day
"""  # noqa: E501


def test_suppression():
    holds("suppression", WHO)


def test_what_is_owed_goes_wherever_it_arrives():
    holds("suppression", OWED, shop({}, {"cart_reminder": {"mail_class": "transactional"}}))
