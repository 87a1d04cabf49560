"""Mail leaves on the merchant's days of the customer's own calendar."""

from __future__ import annotations

from tests.serving.shop import shop
from tests.spec.guardrails.reading import holds

# Saturday 1:00 in Seoul is Friday noon in New York; the worth of the cart ends on Sunday.
DAYS = """
    now              | timezone         | goes      | because
    2026-03-06T17:00 | America/New_York | Fri 12:00 | -
    2026-03-07T17:00 | America/New_York | no        | mail leaves only on mon, tue, wed, thu, fri of their calendar
    2026-03-06T17:00 | Asia/Seoul       | no        | mail leaves only on mon, tue, wed, thu, fri of their calendar
"""  # noqa: E501
WORKDAYS = ["fri", "mon", "tue", "wed", "thu"]
OWED = """
    now              | goes      | because
    2026-03-07T17:00 | Sat 12:00 | -
"""


def test_allowed_days():
    holds("allowed_days", DAYS, shop({"allowed_days": WORKDAYS}, {}))


def test_what_is_owed_leaves_on_any_day():
    owed = {"cart_reminder": {"mail_class": "transactional"}}
    holds("allowed_days", OWED, shop({"allowed_days": WORKDAYS}, owed))
