"""When to decide on whom unasked: what is due, noted where it comes about, and who works on it.

One row per customer says what comes first. It stays until the decision for its cause is kept, with
what is handed out of it, in one transaction: whoever dies in between leaves it to the next, who
asks under the same id and so gets the same decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, update

from serving.store.connections import Connections
from serving.store.locks import Lock, hold
from serving.store.marks import read_mark, write_mark
from serving.store.outbox import Parcel, put
from serving.store.tables import decisions, events, follow_due
from serving.store.upsert import insert_for
from serving.store.values import some_at_a_time

# The number of the last event that was looked at; nobody has ever followed where it is not there.
CURSOR = "follow_cursor"


@dataclass(frozen=True)
class Cause:
    """Why to decide on a customer, from `at` on; `since` is when it came about."""

    name: str
    why: str
    since: datetime
    at: datetime


@dataclass(frozen=True)
class Due:
    """A customer to decide on now. `decided_at`: when that was last done unasked."""

    customer_id: str
    cause: Cause
    decided_at: datetime | None


@dataclass(frozen=True)
class Settled:
    """What became of a due customer: what comes next, None where nobody is left to decide on.

    `decided_at` is None where nothing was decided. `parcels` are handed out only while the decision
    that each is of is there.
    """

    due: Due
    next: Cause | None
    decided_at: datetime | None
    parcels: Sequence[Parcel]


@dataclass(frozen=True)
class Backlog:
    """How many customers are due by now, and since when the first of them is."""

    customers: int
    since: datetime | None


class Following:
    """What is due, in one store. Every method is one transaction."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def read_on(self, *, limit: int, now: datetime, settles: timedelta) -> int:
        """Note whom the next events are about, and how many events those were.

        Of several events in a row one decision comes, `settles` after the first.
        """
        with self._connections.writing() as connection:
            hold(connection, Lock.FOLLOWING)
            after = int(read_mark(connection, CURSOR) or 0)
            wanted = select(events.c.number, events.c.customer_id, events.c.known_at)
            wanted = wanted.where(events.c.number > after).order_by(events.c.number).limit(limit)
            rows = connection.execute(wanted).all()
            if rows or not after:
                note_events(connection, rows, now=now, settles=settles)
                write_mark(connection, CURSOR, str(rows[-1].number if rows else after))
            return len(rows)

    def claim(self, *, limit: int, now: datetime, lasts: timedelta) -> list[Due]:
        """Those who are due longest, for whoever asks to decide on within `lasts`."""
        with self._connections.writing() as connection:
            free = or_(follow_due.c.claimed_until.is_(None), follow_due.c.claimed_until <= now)
            oldest = (
                select(follow_due)
                .where(follow_due.c.at <= now, free)
                .order_by(follow_due.c.at, follow_due.c.customer_id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            rows = connection.execute(oldest).all()
            for some in some_at_a_time([row.customer_id for row in rows]):
                theirs = follow_due.c.customer_id.in_(some)
                taken = update(follow_due).where(theirs).values(claimed_until=now + lasts)
                connection.execute(taken)
            return [_due(row) for row in rows]

    def settle(self, settled: Iterable[Settled], *, now: datetime) -> int:
        """Note what became of them, and how many parcels are handed out that were not before."""
        put_out = 0
        with self._connections.writing() as connection:
            for one in sorted(settled, key=lambda one: one.due.customer_id):
                put_out += _settle(connection, one, now)
        return put_out

    def look(self, *, limit: int, now: datetime) -> list[Due]:
        """Whom a follower would decide on by now, of those noted and of events not looked at yet.

        Nothing is claimed or noted.
        """
        with self._connections.reading() as connection:
            noted = select(follow_due).where(follow_due.c.at <= now)
            rows = connection.execute(noted.order_by(follow_due.c.at).limit(limit)).all()
            found = {row.customer_id: _due(row) for row in rows}
            after = int(read_mark(connection, CURSOR) or 0)
            wanted = select(events.c.number, events.c.customer_id, events.c.known_at)
            wanted = wanted.where(events.c.number > after).order_by(events.c.number).limit(limit)
            for row in connection.execute(wanted):
                cause = Cause(f"event:{row.number}", "event", row.known_at, now)
                found.setdefault(row.customer_id, Due(row.customer_id, cause, None))
            return list(found.values())[:limit]

    def backlog(self, *, now: datetime) -> Backlog:
        with self._connections.reading() as connection:
            wanted = select(func.count(), func.min(follow_due.c.at)).where(follow_due.c.at <= now)
            # Typed as numbers: what `min` gives of an Instant is one.
            return Backlog(*connection.execute(wanted).one())

    def has_begun(self) -> bool:
        """Whether anybody has ever followed here."""
        with self._connections.reading() as connection:
            return read_mark(connection, CURSOR) is not None


def note_events(
    connection: Connection,
    rows: Sequence[Any],
    *,
    now: datetime,
    settles: timedelta,
) -> None:
    """Let whom these events (number, customer_id, known_at, in their order) are about be due."""
    causes: dict[str, Cause] = {}
    for row in rows:
        first = causes.get(row.customer_id)
        since = min(first.since, row.known_at) if first else row.known_at
        causes[row.customer_id] = Cause(f"event:{row.number}", "event", since, now + settles)
    _note(connection, causes, now=now)


def note_unread(connection: Connection, *, compaction: int) -> None:
    """Events leave the store with a publication: whom those that nobody has read are about is due.

    Where nobody has ever followed, nobody is waited for.
    """
    if read_mark(connection, CURSOR) is None:
        return
    hold(connection, Lock.FOLLOWING)
    after = int(read_mark(connection, CURSOR) or 0)
    wanted = select(events.c.number, events.c.customer_id, events.c.known_at)
    wanted = wanted.where(events.c.number > after, events.c.compacted <= compaction)
    rows = connection.execute(wanted.order_by(events.c.number)).all()
    if rows:
        newest = max(row.known_at for row in rows)
        note_events(connection, rows, now=newest, settles=timedelta(0))


def note_plans(connection: Connection, planned: Mapping[str, str], *, at: datetime) -> None:
    """Let those whom a night planned mail for (decision ids by customer) be decided on live."""
    if planned and read_mark(connection, CURSOR) is not None:
        causes = {who: Cause(f"plan:{plan}", "plan", at, at) for who, plan in planned.items()}
        _note(connection, causes, now=at)


def _note(connection: Connection, causes: Mapping[str, Cause], *, now: datetime) -> None:
    for some in some_at_a_time(sorted(causes)):
        theirs = select(follow_due).where(follow_due.c.customer_id.in_(some))
        theirs = theirs.order_by(follow_due.c.customer_id).with_for_update()
        before = {row.customer_id: row for row in connection.execute(theirs)}
        rows = []
        for customer_id in some:
            cause, row = causes[customer_id], before.get(customer_id)
            # What is being worked on may not have seen this any more: it is due once again.
            is_worked_on = row is not None and (row.claimed_until or now) > now
            waits = row is not None and not is_worked_on and row.at <= cause.at
            assert row is not None or not waits
            rows.append(
                {
                    "customer_id": customer_id,
                    "cause": cause.name,
                    "why": cause.why,
                    "at": row.at if row is not None and waits else cause.at,
                    "since": min(row.since, cause.since)
                    if row is not None and waits
                    else cause.since,
                }
            )
        statement = insert_for(connection, follow_due)
        fresh = {name: statement.excluded[name] for name in ("cause", "why", "at", "since")}
        connection.execute(
            statement.on_conflict_do_update(index_elements=["customer_id"], set_=fresh), rows
        )


def _settle(connection: Connection, settled: Settled, now: datetime) -> int:
    wanted = select(follow_due.c.cause).where(follow_due.c.customer_id == settled.due.customer_id)
    cause = connection.scalar(wanted.with_for_update())
    if cause is None:
        return 0  # erased meanwhile: nothing of them is kept
    ids = {one.decision_id for one in settled.parcels}
    known = select(decisions.c.decision_id).where(decisions.c.decision_id.in_(ids))
    there = set(connection.scalars(known)) if ids else set()
    parcels = [one for one in settled.parcels if one.decision_id in there]
    count = put(connection, parcels, customer_id=settled.due.customer_id, now=now)
    theirs = follow_due.c.customer_id == settled.due.customer_id
    if cause != settled.due.cause.name:  # something came about meanwhile, and comes first
        values: dict[str, object] = {"claimed_until": None}
    elif settled.next is None:
        connection.execute(follow_due.delete().where(theirs))
        return count
    else:
        values = {
            "claimed_until": None,
            "cause": settled.next.name,
            "why": settled.next.why,
            "at": settled.next.at,
            "since": settled.next.since,
        }
    if settled.decided_at is not None:
        values["decided_at"] = settled.decided_at
    connection.execute(update(follow_due).where(theirs).values(values))
    return count


def _due(row: Row[Any]) -> Due:
    cause = Cause(row.cause, row.why, row.since, row.at)
    return Due(row.customer_id, cause, row.decided_at)
