"""Guardrails drawn as text: who, when, which mails before; whether it goes, and what is said.

Everybody here has left a cart two hours ago, at 11:00 on a Tuesday in New York, so a cart reminder
would leave at once. A row names only what differs. `goes` is the local time of the mail, or "no".
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from serving.settings import ServingSettings
from tests.serving.drawn import drawn, moment
from tests.serving.shop import HOUR, NOW, SHOP, decision_for, reasons_of

CART = {"cart_waiting_hours": 2.0, "cart_items": 1.0}
UNITS = {"h": HOUR, "d": timedelta(days=1)}
MOMENTS = ("consent_since", "consent_confirmed_at", "suppressed_at")
SAID = ("goes", "because")


def holds(code: str, text: str, settings: ServingSettings = SHOP, **world: Any) -> None:
    """Each row of `text` goes as it says, and `code` says what stands under `because`."""
    for row in drawn(text):
        decision = decided(row, settings, **world)
        left = decision["local_send_at"]
        found = f"{left:%a %H:%M}" if left else "no"
        reasons = reasons_of(decision)
        told = reasons.get(code) or reasons.get("moved", "").partition(" was shut: ")[2]
        assert found == (row["goes"] or "no"), (row, found, reasons)
        assert (told or None) == row["because"], (row, reasons)


def decided(row: dict[str, Any], settings: ServingSettings, **world: Any) -> dict[str, Any]:
    """The decision for the customer of a row."""
    differs = {name: value for name, value in row.items() if name not in (*SAID, "mails", "now")}
    for name in MOMENTS:
        if differs.get(name):
            differs[name] = moment(str(differs[name]))
    now = moment(str(row["now"])) if row.get("now") else NOW
    mails = [_mail(one, now) for one in re.split(r",\s*", str(row.get("mails") or "")) if one]
    return decision_for(settings, **{**CART, **world, **differs}, now=now, mails=mails)


def _mail(text: str, now: Any) -> tuple[str, Any]:
    """ "newsletter 4h ago" or "newsletter in 10h"."""
    told = re.fullmatch(r"(\w+) (?:(\d+)([hd]) ago|in (\d+)([hd]))", text)
    assert told, f"{text!r} is no mail"
    if told[2]:
        return told[1], now - int(told[2]) * UNITS[told[3]]
    return told[1], now + int(told[4]) * UNITS[told[5]]
