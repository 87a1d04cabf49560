"""Events from the wire as rows of EVENTS."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from features.contracts import PERMISSION_KINDS, Events
from features.once import content_id, settle_clock
from features.tables import EVENTS
from serving.schemas.events import Event, SeenEvent

CONTRACT = {name: column.dtype for name, column in Events.columns().items()}
# Decimals come as Python's own and are scaled to the contract's four places by the cast.
GIVEN = {
    name: pl.Decimal(38, 4) if isinstance(dtype, pl.Decimal) else dtype
    for name, dtype in CONTRACT.items()
}
# What makes an event itself where its producer gives no id: all but how and when we learnt it.
CONTENT = [name for name in CONTRACT if name not in ("event_id", "known_at")]
# Told without a channel, these are about e-mail: else an unsubscribe could miss its mark.
MAIL_KINDS = ("send", "deliver", "open", "click", *PERMISSION_KINDS)
IN_ORDER = json.JSONEncoder(sort_keys=True)
JUST_NOW = timedelta(microseconds=1)


def as_told(told: Sequence[Event], *, now: datetime) -> tuple[pl.DataFrame, dict[int, str]]:
    """Rows of EVENTS to keep, known from now on; and why the others are rejected, by their place.

    An event without an id gets one made of its content.
    """
    frame = settle_clock(_frame([_row(event) | _when(event, now) for event in told]))
    named = frame.with_columns(pl.coalesce("event_id", content_id(frame, CONTENT)))
    # The contract is asked under ids that tell the place: two events may bear the same id.
    placed = named.with_columns(event_id=pl.int_range(pl.len()).cast(pl.String))
    split = EVENTS.split(placed)
    places = split.accepted["event_id"].cast(pl.UInt32)
    rejected = split.rejected.select(pl.col("event_id").cast(pl.UInt32), "reason").rows()
    return named[places], dict(rejected)


def as_seen(
    seen: Sequence[SeenEvent], *, customer_id: str, request_id: str, now: datetime
) -> pl.DataFrame:
    """Events of a decision's context as rows of EVENTS.

    They lie before `now`, whatever the caller's clock says: features look at what is past.
    """
    just_now = now - JUST_NOW
    rows = [
        _row(event)
        | {
            "event_id": f"{request_id}:{number}",
            "customer_id": customer_id,
            "at": min(event.at or just_now, just_now).astimezone(UTC),
            "known_at": now,
            "source": "context",
        }
        for number, event in enumerate(seen)
    ]
    return _frame(rows)


def _row(event: SeenEvent) -> dict[str, Any]:
    usual = "email" if event.kind in MAIL_KINDS else "web"
    return event.model_dump(exclude={"attributes"}) | {"channel": event.channel or usual}


def _when(event: Event, now: datetime) -> dict[str, Any]:
    told = IN_ORDER.encode(event.attributes) if event.attributes else None
    return {"at": (event.at or now).astimezone(UTC), "known_at": now, "attributes": told}


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=GIVEN).cast(pl.Schema(CONTRACT))
