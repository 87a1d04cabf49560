"""Histories drawn as text, and the answers to questions about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import polars as pl

from features.history import to_history
from features.settings import FeatureSettings
from features.tables import CUSTOMERS, EVENTS, PRODUCTS
from serving.answer import answer
from serving.conditions import NO_CONDITIONS, Conditions
from serving.knowledge import Knowledge
from serving.models import NO_MODELS
from serving.scores import Models
from serving.settings import ServingSettings
from serving.tables import MAIL, REQUESTS
from serving.valuation import OWN, Valuation
from tests.serving.drawn import drawn, moment
from tests.serving.shop import NEW_YORK, NOW, SHOP

FEATURES = FeatureSettings(
    base_currency="USD", default_timezone=NEW_YORK, category_depth=2, newest_events=2000,
    hours_half_life_days=180, mail_echo_hours=6, high_value_spend_365d=1500.0,
    dormant_after_days=180,
)  # fmt: skip
NO_MAIL = pl.DataFrame(schema=MAIL)

SHELF = """
    product_id | category              | available | released_at
    bread      | BAKERY > BREAD > RYE  | yes       | -
    bun        | BAKERY > BREAD > BUNS | yes       | -
    milk       | DAIRY > MILK          | yes       | -
    kefir      | DAIRY > MILK > SOUR   | yes       | 2026-04-01T00:00
    cheese     | DAIRY > CHEESE        | no        | -
    soap       | HOME > CARE           | yes       | 2025-05-01T00:00
"""


def shelf(text: str = SHELF) -> pl.DataFrame:
    rows = [
        {**row, "released_at": row["released_at"] and moment(str(row["released_at"]))}
        for row in drawn(text)
    ]
    return PRODUCTS.check(PRODUCTS.shape(pl.DataFrame(rows, infer_schema_length=None)))


def history(text: str, on_shelf: str = SHELF) -> pl.DataFrame:
    """Lines "customer | kind | at | what | amount": what is a product, e-mail, consent or query.

    An amount without a currency ("5", not "5 EUR") is in that of the shop.
    """
    return to_history(drawn_events(text, prefix="e"), shelf(on_shelf), settings=FEATURES)


def drawn_events(text: str, *, prefix: str) -> pl.DataFrame:
    """The same lines as EVENTS; their ids begin with `prefix`."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    events = [
        _event(f"{prefix}{place}", *line, *[""] * (5 - len(line)))
        for place, line in enumerate(lines)
        if line[0]
    ]
    return EVENTS.check(EVENTS.shape(pl.DataFrame(events, infer_schema_length=None)))


def _event(
    event_id: str, customer: str, kind: str, at: str, what: str, amount: str
) -> dict[str, object]:
    number, _, currency = amount.partition(" ")
    is_product = kind in ("order", "cart_add", "cart_remove", "view", "refund")
    return {
        "event_id": event_id, "customer_id": customer, "kind": kind, "source": "test",
        "channel": "web" if is_product else "email", "at": moment(at), "known_at": moment(at),
        "product_id": what if is_product else None,
        "reason": what if kind in ("consent", "bounce") else None,
        "email": what if kind in ("send", "click") else None,
        "query": what if kind == "search" else None,
        "order_id": f"{customer} {at}" if kind == "order" else None,
        "amount": Decimal(number) if amount else None,
        "currency": currency or "USD" if amount else None,
    }  # fmt: skip


def customers(*names: str, zone: str | None) -> pl.DataFrame:
    rows = [
        {"customer_id": name, "known_at": moment("2024-01-01T00:00"), "timezone": zone}
        for name in names
    ]
    return CUSTOMERS.shape(pl.DataFrame(rows, schema_overrides={"timezone": pl.String}))


def requests(*names: str, now: datetime = NOW, emails: Sequence[str] | None = None) -> pl.DataFrame:
    rows = [
        {
            "row": place, "request_id": f"r {name}", "decision_id": f"d {name}",
            "customer_id": name, "as_of": now, "emails": emails, "earliest": None,
            "deadline": None,
        }
        for place, name in enumerate(names)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=REQUESTS)


def answers(
    text: str,
    *names: str,
    settings: ServingSettings = SHOP,
    now: datetime = NOW,
    emails: Sequence[str] | None = None,
    mail: pl.DataFrame = NO_MAIL,
    models: Models = NO_MODELS,
    zone: str | None = NEW_YORK,
    valuation: Valuation = OWN,
    on_shelf: str = SHELF,
    conditions: Conditions = NO_CONDITIONS,
) -> pl.DataFrame:
    """The answers to one question about each of the customers named."""
    return answer(
        requests(*names, now=now, emails=emails),
        Knowledge(
            history=history(text, on_shelf),
            customers=customers(*names, zone=zone),
            products=shelf(on_shelf),
            mail=mail,
            conditions=conditions,
            lake_versions={},
        ),
        models,
        settings=settings,
        feature_settings=FEATURES,
        valuation=valuation,
    )
