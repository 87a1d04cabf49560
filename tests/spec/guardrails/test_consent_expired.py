"""Where the law wants consent confirmed anew, no marketing leaves once that is overdue."""

from __future__ import annotations

from tests.serving.drawn import moment
from tests.serving.shop import HOUR, reasons_of, shop
from tests.spec.guardrails.reading import decided, holds

# The day ends by the calendar of Seoul: midnight of 4 March is 15:00 UTC of 3 March.
WHO = """
    country | consent_confirmed_at | goes      | because
    KR      | 2024-03-05T12:00     | Tue 11:00 | -
    KR      | 2024-03-03T16:00     | no        | their consent had to be confirmed before 2026-03-03 (law of KR)
    kor     | 2020-01-01T00:00     | no        | their consent had to be confirmed before 2021-12-31 (law of KR)
    KR      | -                    | no        | nobody knows when they last agreed to e-mail, and the law asks
    US      | 2010-01-01T00:00     | Tue 11:00 | -
    DE      | 2010-01-01T00:00     | Tue 11:00 | -
    BR      | 2010-01-01T00:00     | Tue 11:00 | -
    -       | 2010-01-01T00:00     | Tue 11:00 | -
    Korea   | 2010-01-01T00:00     | no        | their consent had to be confirmed before 2012-01-01 (law of unreadable)
"""  # noqa: E501
SERVED = """
    country | consent_confirmed_at | goes      | because
    KR      | 2020-01-01T00:00     | Tue 11:00 | -
"""
STAYS = """
    country | consent_confirmed_at | goes      | because
    KR      | 2020-01-01T00:00     | Tue 11:00 | -
"""


def test_consent_expired():
    holds("consent_expired", WHO)


def test_service_mail_goes_on_to_ask_for_it():
    holds("consent_expired", SERVED, shop({}, {"cart_reminder": {"mail_class": "service"}}))


def test_a_merchant_may_take_silence_for_consent():
    law = {"default_country": "US", "silence_ends_consent": False}
    holds("consent_expired", STAYS, shop({}, {}, law=law))


def test_no_mail_is_planned_for_after_the_day():
    """It runs out in three hours: what would leave tomorrow leaves before, or not at all."""
    now = moment("2026-03-04T12:00")
    row = {"country": "KR", "consent_confirmed_at": "2024-03-04T16:00", "now": "2026-03-04T12:00"}
    late = {"earliest": now + 4 * HOUR, "deadline": now + 20 * HOUR}
    decision = decided(row, shop({}, {}), asked=late)
    assert decision["action"] == "wait"
    assert "consent_expired" in reasons_of(decision)
