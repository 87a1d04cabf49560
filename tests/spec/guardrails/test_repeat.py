"""The same e-mail does not come again so soon."""

from __future__ import annotations

from tests.spec.guardrails.reading import holds

MAILS = """
    mails                | goes      | because
    cart_reminder 3d ago | Tue 11:00 | -
    cart_reminder 2d ago | no        | it left 2 days ago, and comes again after 3 days
    newsletter 2d ago    | Tue 11:00 | -
"""


def test_repeat():
    holds("repeat", MAILS)
