"""Rows for tests of the store: each names only what matters to the test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from features.contracts import Customers, Events, Products
from features.tables import HISTORY
from serving.store import Record

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def event(event_id, customer_id="ann", kind="view", hours_ago=1.0, **more):
    at = NOW - timedelta(hours=hours_ago)
    row = {"event_id": event_id, "customer_id": customer_id, "kind": kind, "at": at}
    return row | {"known_at": at, "channel": "web", "source": "test"} | more


def events(*rows):
    return _frame(Events, rows)


def history(*rows):
    return _frame(Events, rows).with_columns(category=pl.lit("Kitchen")).select(HISTORY.columns)


def customers(*rows):
    return _frame(Customers, [{"known_at": NOW} | row for row in rows])


def products(*rows):
    return _frame(Products, [{"available": True} | row for row in rows])


def record(request_id, decision_id=None, customer_id="ann", action="send", revision=0, **more):
    values = {
        "request_id": request_id,
        "body_hash": "hash",
        "answer": f"answer of {decision_id or request_id}".encode(),
        "decision_id": decision_id or f"decision of {request_id}",
        "customer_id": customer_id,
        "as_of": NOW,
        "action": action,
        "email": "welcome" if action == "send" else None,
        "send_at": NOW + timedelta(hours=3) if action == "send" else None,
        "held_until": NOW + timedelta(hours=51) if action == "send" else None,
        "receipt": '{"why": "test"}',
        "exposures": (),
        "spends": (),
        "revision": revision,
    }
    return Record(**(values | more))


def _frame(contract, rows):
    types = {name: column.dtype for name, column in contract.columns().items()}
    texts = {name: pl.String() if dtype == pl.Decimal else dtype for name, dtype in types.items()}
    return pl.DataFrame(list(rows), schema=texts).cast(types)
