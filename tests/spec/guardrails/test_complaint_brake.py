"""While too many report mail as spam, marketing slows down, then stops."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serving.brake import brake_of
from serving.conditions import NO_CONDITIONS
from tests.serving.shop import SHOP, shop
from tests.spec.guardrails.reading import holds

STOPPED = """
    goes | because
    no   | no marketing leaves: 6 of 50 e-mails of the last 7 days were reported as spam; so few count as 2,000
"""  # noqa: E501
FREE = """
    goes      | because
    Tue 11:00 | -
"""
# 3 in 7 days are allowed; half of them, rounded down, is one.
HALVED = """
    mails               | goes      | because
    newsletter 169h ago | Tue 11:00 | -
    newsletter 30h ago  | no        | 1 marketing e-mail in 7 days is the most, sent and promised together (halved, for 3 of 3,000 e-mails of the last 7 days were reported as spam)
"""  # noqa: E501


def when(complaints, delivered):
    return {"conditions": replace(NO_CONDITIONS, complaints_7d=complaints, delivered_7d=delivered)}


def test_one_complaint_among_fifty_stops_nobody():
    holds("complaint_brake", FREE, **when(1, 50))


def test_six_among_fifty_do():
    holds("complaint_brake", STOPPED, **when(6, 50))


def test_from_a_thousandth_on_the_caps_are_halved():
    holds("cap_7d", HALVED, **when(3, 3000))
    holds(
        "cap_7d",
        HALVED.replace("no        |", "Tue 11:00 |").replace(
            HALVED.splitlines()[-1].split("|")[-1], " -"
        ),
        **when(2, 3000),
    )


def test_a_cap_is_never_halved_to_nothing():
    limits = SHOP.caps.marketing.halved()
    assert (limits.per_24h, limits.per_7d, limits.per_30d) == (1, 1, 4)


@pytest.mark.parametrize("mail_class", ["service", "transactional"])
def test_only_marketing_stops(mail_class):
    holds(
        "complaint_brake", FREE, shop({}, {"cart_reminder": {"mail_class": mail_class}}),
        **when(500, 5000),
    )  # fmt: skip


SHARES = [(0, 0, "off"), (1, 1999, "off"), (2, 1, "halved"), (5, 5000, "halved"),
          (49, 50_000, "off"), (50, 50_000, "halved"), (149, 50_000, "halved"),
          (150, 50_000, "stopped"), (6, 0, "stopped")]  # fmt: skip


@pytest.mark.parametrize(("complaints", "delivered", "state"), SHARES)
def test_at_which_share_it_brakes(complaints, delivered, state):
    assert brake_of(when(complaints, delivered)["conditions"], SHOP.brake).state == state
