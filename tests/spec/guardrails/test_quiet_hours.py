"""No mail leaves in the quiet hours of the customer's own clock; the merchant chose them."""

from __future__ import annotations

from serving.guardrails import GUARDRAILS
from tests.serving.shop import shop
from tests.spec.guardrails.reading import holds

CLOCKS = """
    now              | timezone         | goes      | because
    2026-03-03T16:00 | America/New_York | Tue 11:00 | -
    2026-03-04T01:59 | America/New_York | Tue 20:59 | -
    2026-03-04T02:00 | America/New_York | Wed 08:30 | no mail leaves between 21:00 and 8:00 of their clock
    2026-03-04T13:00 | America/New_York | Wed 08:00 | -
    2026-03-03T16:00 | Asia/Seoul       | Wed 08:30 | no mail leaves between 21:00 and 8:00 of their clock
    2026-03-03T16:00 | Asia/Kathmandu   | Wed 08:30 | no mail leaves between 21:00 and 8:00 of their clock
"""  # noqa: E501
OWED = """
    now              | goes      | because
    2026-03-04T07:00 | Wed 02:00 | -
"""


def test_quiet_hours():
    holds("quiet_hours", CLOCKS)


def test_what_is_owed_leaves_at_night():
    holds("quiet_hours", OWED, shop({}, {"cart_reminder": {"mail_class": "transactional"}}))


def test_quiet_hours_are_never_named_as_law():
    assert "law" not in GUARDRAILS["quiet_hours"] and "merchant" in GUARDRAILS["quiet_hours"]
