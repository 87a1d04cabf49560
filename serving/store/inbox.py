"""Events taken online: durable before they are acknowledged, carried to the lake later."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from sqlalchemy import Connection, func, select, update

from features.tables import EVENTS
from serving.store import complaints
from serving.store.erased import Names, admit
from serving.store.frames import from_lines, to_lines
from serving.store.locks import Lock, hold
from serving.store.marks import read_mark, write_mark
from serving.store.revisions import advance
from serving.store.tables import decisions, events, reservations
from serving.store.upsert import insert_for
from serving.store.values import some_at_a_time
from serving.tables import UTC

COMPACTION = "compaction"


@dataclass(frozen=True)
class Taken:
    """How many events were new, and how many had been told before.

    `erased`: ids of those that were not kept, since their customer was erased.
    """

    accepted: int
    known_already: int
    erased: frozenset[str]


@dataclass(frozen=True)
class Online:
    """Events of some customers (columns of EVENTS), and when the newest of each became known.

    `ids` are those of the events, by customer.
    """

    events: pl.DataFrame
    newest: dict[str, datetime]
    ids: dict[str, list[str]]


@dataclass(frozen=True)
class Inbox:
    """Events that the lake does not have yet, with the numbers to mark them by."""

    numbers: list[int]
    events: pl.DataFrame


def take(connection: Connection, told: pl.DataFrame, names: Names) -> Taken:
    """Keep the events (columns of EVENTS) that were not told before; the first telling stays.

    But for those of a customer who was erased, see serving.store.erased.admit.

    Whatever a customer's events say, none is known before one that was told before it: an
    unsubscribe that is told after the clock stepped back must not seem older than a consent.
    """
    hold(connection, Lock.EVENTS)
    admitted = admit(connection, names, told)
    gone = frozenset(told["event_id"]) - frozenset(admitted["event_id"])
    told = _in_order(connection, admitted)
    columns = told.select("event_id", "customer_id", "known_at").rows(named=True)
    rows = [{**row, "event": line} for row, line in zip(columns, to_lines(told), strict=True)]
    if not rows:
        return Taken(0, 0, gone)
    known = insert_for(connection, events).on_conflict_do_nothing(index_elements=["event_id"])
    fresh = connection.execute(known.returning(events.c.event_id), rows).scalars().all()
    new = told.filter(pl.col("event_id").is_in(fresh)).unique("event_id")
    advance(connection, new["customer_id"].unique().to_list())
    complaints.note(connection, new)
    _settle(connection, new.filter(pl.col("kind").cast(pl.String) == "send"))
    return Taken(len(fresh), len(rows) - len(fresh), gone)


def _in_order(connection: Connection, told: pl.DataFrame) -> pl.DataFrame:
    customer_ids = told["customer_id"].unique().to_list()
    newest: dict[str, datetime] = {}
    for some in some_at_a_time(customer_ids):
        wanted = (
            select(events.c.customer_id, func.max(events.c.known_at).label("known_at"))
            .where(events.c.customer_id.in_(some))
            .group_by(events.c.customer_id)
        )
        newest |= {row.customer_id: row.known_at for row in connection.execute(wanted)}
    before = pl.col("customer_id").replace_strict(newest, default=None, return_dtype=UTC)
    is_behind = (before > pl.col("known_at")).fill_null(False)
    just_after = before + pl.duration(microseconds=1)
    return told.with_columns(known_at=pl.when(is_behind).then(just_after).otherwise("known_at"))


def online_events_of(connection: Connection, customer_ids: Collection[str]) -> Online:
    """All events of these customers that no publication holds yet."""
    wanted = select(events.c.customer_id, events.c.event_id, events.c.known_at, events.c.event)
    wanted = wanted.where(events.c.customer_id.in_(customer_ids)).order_by(events.c.number)
    rows = connection.execute(wanted).all()
    newest: dict[str, datetime] = {}
    ids: dict[str, list[str]] = {}
    for row in rows:
        ids.setdefault(row.customer_id, []).append(row.event_id)
        newest[row.customer_id] = max(row.known_at, newest.get(row.customer_id, row.known_at))
    return Online(from_lines((row.event for row in rows), EVENTS), newest, ids)


def online_events(connection: Connection, event_ids: Collection[str]) -> pl.DataFrame:
    """Those of these events that are still kept here, columns of EVENTS."""
    wanted = select(events.c.event).where(events.c.event_id.in_(event_ids))
    return from_lines(connection.scalars(wanted), EVENTS)


def uncompacted(connection: Connection, limit: int) -> Inbox:
    """The oldest events that the lake does not have yet."""
    wanted = select(events.c.number, events.c.event).where(events.c.compacted.is_(None))
    rows = connection.execute(wanted.order_by(events.c.number).limit(limit)).all()
    return Inbox([row.number for row in rows], from_lines((row.event for row in rows), EVENTS))


def mark_compacted(connection: Connection, numbers: Sequence[int]) -> int:
    """Note that the lake has these events now; returns the number of this compaction."""
    hold(connection, Lock.COMPACTION)
    # Counted in a mark of its own, never from the rows: those go, and a number must not return.
    compaction = last_compaction(connection) + 1
    write_mark(connection, COMPACTION, str(compaction))
    marked = update(events).values(compacted=compaction)
    for some in some_at_a_time(numbers):
        connection.execute(marked.where(events.c.number.in_(some)))
    return compaction


def last_compaction(connection: Connection) -> int:
    """To be read before the lake is read for a publication: what it names, the lake has."""
    return int(read_mark(connection, COMPACTION) or 0)


def _settle(connection: Connection, sends: pl.DataFrame) -> None:
    # From here on the history itself counts the mail; its reservation would count it twice.
    sent = sends["decision_id"].drop_nulls().unique().to_list()
    for table in (decisions, reservations):  # in the order in which `cancel` takes them
        connection.execute(
            update(table)
            .where(table.c.decision_id.in_(sent), table.c.state != "cancelled")
            .values(state="sent")
        )
