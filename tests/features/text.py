"""Histories drawn as text: `customer | time | kind | column=value | ...`, one event a line."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl

from features.contracts import KINDS
from features.settings import FeatureSettings
from features.tables import CUSTOMERS, HISTORY

SETTINGS = FeatureSettings(
    base_currency="USD",
    default_timezone="UTC",
    category_depth=2,
    newest_events=100,
    hours_half_life_days=180,
    mail_echo_hours=6,
    high_value_spend_365d=1_000.0,
    dormant_after_days=180,
)

_BY_EMAIL = ("send", "deliver", "open", "click", "consent", "bounce", "complaint", "unsubscribe")
_SHORT = {"order": "order_id", "product": "product_id", "in": "category"}
_TYPES = {"amount": Decimal, "discount": Decimal, "quantity": float, "duration_s": float}


def when(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def history(drawn: str) -> pl.DataFrame:
    """HISTORY rows; an event is known when it happens unless `known_at=` says otherwise."""
    lines = [line.strip() for line in drawn.strip().splitlines() if line.strip()]
    rows = [_event(number, line) for number, line in enumerate(lines)]
    return HISTORY.check(
        pl.DataFrame(
            rows, schema_overrides={"at": pl.Datetime("us", "UTC")}, infer_schema_length=None
        )
    )


def _event(number: int, line: str) -> dict[str, object]:
    customer, at, kind, *rest = (part.strip() for part in line.split("|"))
    said = dict(part.split("=", 1) for part in rest)
    event: dict[str, object] = {
        "event_id": f"e{number:03}",
        "customer_id": customer,
        "at": when(at),
        "known_at": when(said.pop("known_at", at)),
        "kind": kind,
        "channel": said.pop("channel", "email" if kind in _BY_EMAIL else "web"),
        "machine": said.pop("machine", "no") == "yes",
    }
    return event | {
        _SHORT.get(name, name): _TYPES.get(name, str)(value) for name, value in said.items()
    }


def spine(*pairs: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        {"customer_id": [c for c, _ in pairs], "as_of": [when(t) for _, t in pairs]},
        schema={"customer_id": pl.String, "as_of": pl.Datetime("us", "UTC")},
    )


def customers(*people: dict[str, object]) -> pl.DataFrame:
    known_at = {"known_at": when("2000-01-01")}
    if not people:
        return CUSTOMERS.schema.create_empty()
    return CUSTOMERS.check(pl.DataFrame([known_at | person for person in people]))


def world(*, people: int, events: int, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A history and customers in which everything happens: late news, odd zones, machines."""
    dice = random.Random(seed)
    start = when("2024-01-01")
    rows = []
    for number in range(events):
        kind = dice.choice([*KINDS, "order", "order", "view", "view", "send", "deliver", "deliver"])
        at = start + timedelta(minutes=dice.randrange(400 * 24 * 60))
        customer = f"c{dice.randrange(people)}"
        product = dice.randrange(12)
        rows.append(
            {
                "event_id": f"e{number}",
                "customer_id": customer,
                "at": at,
                "known_at": at + timedelta(hours=dice.choice([0, 0, 0, 1, 90, 900])),
                "kind": kind,
                "channel": dice.choice(["email", "web", "store", "push"]),
                "product_id": f"p{product}" if dice.random() < 0.8 else None,
                "category": f"cat{product % 5}" if dice.random() < 0.9 else None,
                "quantity": dice.choice([None, 1.0, 2.5]),
                "amount": Decimal(dice.randrange(1, 99_999)) / 100,
                "discount": dice.choice([None, Decimal("0.35")]),
                "coupon": dice.choice([None, None, "TEN"]),
                "payment": dice.choice([None, "card", "cash"]),
                "link": dice.choice([None, "hero", "footer"]),
                "reason": {"consent": "granted", "bounce": "hard"}.get(kind),
                "duration_s": dice.choice([None, 0.1, 33.3]),
                "order_id": f"{customer}-{dice.randrange(events // people)}",
                "email": dice.choice([None, "welcome", "win_back_1"]),
                "machine": dice.choice([None, False, False, True]),
            }
        )
    zones = ["America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Nowhere/At_All", None]
    said = [
        {
            "customer_id": f"c{number}",
            "known_at": start + timedelta(days=moved),
            "timezone": dice.choice(zones),
            "birthday": dice.choice(["02-29", "07-01", None]),
            "signed_up_at": start if number % 3 else None,
            "age_years": 40.0,
        }
        for number in range(people)
        for moved in (0, 200)
    ]
    return (
        HISTORY.shape(pl.DataFrame(rows, infer_schema_length=None)),
        CUSTOMERS.shape(pl.DataFrame(said, infer_schema_length=None)),
    )
