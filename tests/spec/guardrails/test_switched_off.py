"""An e-mail that the merchant has switched off does not go."""

from __future__ import annotations

from tests.serving.shop import shop
from tests.spec.guardrails.reading import holds

OFF = """
    goes | because
    no   | cart_reminder is switched off in onje.toml
"""


def test_switched_off():
    holds("switched_off", OFF, shop({}, {"cart_reminder": {"enabled": False}}))
