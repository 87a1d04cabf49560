"""Nothing is offered that they bought lately, unless it is due again or their own choice."""

from __future__ import annotations

from tests.serving.histories import answers
from tests.spec.guardrails.reading import holds

ALL = """
    goes | because
    no   | all 7 products that fit it were bought lately
"""


def test_recently_bought():
    holds("recently_bought", ALL, products={"cart": []})


# Soap was bought eight days ago, milk three: of their own goods only soap has rested for a week.
BOUGHT = """
    ann | consent | 2025-01-01T00:00 | granted
    ann | order   | 2026-02-23T15:00 | soap | 12
    ann | order   | 2026-02-28T15:00 | milk | 12
"""
# Milk every day and a half: after three days it is due again.
IN_RHYTHM = """
    ann | consent | 2025-01-01T00:00 | granted
    ann | order   | 2026-02-23T15:00 | soap | 12
    ann | order   | 2026-02-25T15:00 | milk | 12
    ann | order   | 2026-02-27T03:00 | milk | 12
    ann | order   | 2026-02-28T15:00 | milk | 12
"""
# What lies in the cart they chose themselves.
IN_CART = f"""{BOUGHT}
    ann | cart_add | 2026-03-03T14:00 | milk
"""


def shown(text: str, email: str) -> set[str]:
    return set(answers(text, "ann", emails=[email])["products"].item())


def test_what_was_bought_rests_for_a_while():
    assert "soap" in shown(BOUGHT, "recommendation")
    assert "milk" not in shown(BOUGHT, "recommendation")


def test_what_is_due_again_has_rested():
    assert "milk" in shown(IN_RHYTHM, "recommendation")


def test_their_own_choice_is_never_too_recent():
    assert shown(IN_CART, "cart_reminder") == {"milk"}
