"""What webhooks brought: raw and durable first, parsed later, kept aside where it cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from sqlalchemy import Connection, delete, func, or_, select, update

from serving.store.inbox import Taken
from serving.store.tables import dead_letters, deliveries


@dataclass(frozen=True)
class Delivery:
    """One body as a source sent it. `headers` are those that its parser asks for, in lower case."""

    source: str
    received_at: datetime
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Waiting:
    """A delivery that is claimed for parsing, under its number, for the `claims`-th time."""

    number: int
    claims: int
    delivery: Delivery


@dataclass(frozen=True)
class Dead:
    """What cannot become an event: a body that its source's parser takes, and why it does not."""

    body: bytes
    reason: str


@dataclass(frozen=True)
class DeadLetter:
    """One that is kept aside until somebody replays or drops it."""

    number: int
    died_at: datetime
    reason: str
    delivery: Delivery


def keep(connection: Connection, brought: Sequence[Delivery]) -> None:
    """Keep them in their order; they are durable when the transaction ends."""
    connection.execute(deliveries.insert(), [_row(one) | {"claims": 0} for one in brought])


def claim(
    connection: Connection, sources: Collection[str], *, limit: int, now: datetime, lasts: timedelta
) -> list[Waiting]:
    """The oldest of these sources that nobody has claimed, claimed until `now` + `lasts`.

    Who claims one and dies leaves it to the next, when the time is up.
    """
    free = or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until <= now)
    oldest = (
        select(deliveries)
        .where(free, deliveries.c.source.in_(sources))
        .order_by(deliveries.c.number)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(oldest).all()
    if rows:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.number.in_([row.number for row in rows]))
            .values(claimed_until=now + lasts, claims=deliveries.c.claims + 1)
        )
    return [Waiting(row.number, row.claims + 1, _delivery(row)) for row in rows]


def settle(
    connection: Connection,
    waiting: Waiting,
    events: pl.DataFrame,
    dead: Sequence[Dead],
    *,
    take: Callable[[Connection, pl.DataFrame], Taken],
    at: datetime,
) -> Taken | None:
    """Let a delivery become events and dead letters, all at once; None where another did so.

    What it was is gone then: nothing of a customer is kept twice.
    """
    gone = connection.execute(delete(deliveries).where(deliveries.c.number == waiting.number))
    if gone.rowcount != 1:
        return None
    taken = take(connection, events)
    bury(connection, waiting.delivery, dead, at=at)
    return taken


def bury(connection: Connection, of: Delivery, dead: Sequence[Dead], *, at: datetime) -> None:
    """Keep aside what cannot become an event."""
    if dead:
        rows = [{**_row(of), "body": one.body, "reason": one.reason, "died_at": at} for one in dead]
        connection.execute(dead_letters.insert(), rows)


def counts(connection: Connection) -> dict[str, int]:
    """How many wait to be parsed, and how many dead letters there are."""
    tables = {"waiting": deliveries, "dead": dead_letters}
    return {
        name: connection.scalar(select(func.count()).select_from(table)) or 0
        for name, table in tables.items()
    }


def letters(
    connection: Connection, *, numbers: Collection[int] | None, source: str | None
) -> list[DeadLetter]:
    """Dead letters, oldest first: those of these numbers, of this source; None asks for all."""
    wanted = select(dead_letters).order_by(dead_letters.c.number)
    if numbers is not None:
        wanted = wanted.where(dead_letters.c.number.in_(numbers))
    if source is not None:
        wanted = wanted.where(dead_letters.c.source == source)
    return [
        DeadLetter(row.number, row.died_at, row.reason, _delivery(row))
        for row in connection.execute(wanted)
    ]


def revive(connection: Connection, found: Sequence[DeadLetter]) -> int:
    """Let these be parsed again; returns how many still lay there."""
    revived = [one for one in found if drop(connection, [one.number])]
    if revived:
        keep(connection, [one.delivery for one in revived])
    return len(revived)


def drop(connection: Connection, numbers: Collection[int]) -> int:
    """Let these dead letters go for good; returns how many still lay there."""
    return connection.execute(
        delete(dead_letters).where(dead_letters.c.number.in_(numbers))
    ).rowcount


def _row(delivery: Delivery) -> dict[str, Any]:
    return {
        "source": delivery.source,
        "received_at": delivery.received_at,
        "headers": json.dumps(dict(delivery.headers)),
        "body": delivery.body,
    }


def _delivery(row: Any) -> Delivery:
    return Delivery(row.source, row.received_at, json.loads(row.headers), bytes(row.body))
