"""How far behind what comes in is worked on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from serving.store import deliveries, published
from serving.store.tables import deliveries as waiting


@dataclass(frozen=True)
class Lags:
    """What waits: `oldest` came in first of it, None where nothing waits.

    `published_at` is when the lake was last brought to the store, None where it never was.
    """

    waiting: int
    dead: int
    oldest: datetime | None
    published_at: datetime | None


def lags_of(connection: Connection) -> Lags:
    """All of it from one moment of the database."""
    counts = deliveries.counts(connection)
    about = published.publication(connection) or {}
    at = about.get("at")
    return Lags(
        waiting=counts["waiting"],
        dead=counts["dead"],
        oldest=connection.scalar(select(func.min(waiting.c.received_at))),
        published_at=None if at is None else datetime.fromisoformat(at),
    )
