"""Erasing a customer from the store: every table that may hold them, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Table, delete, or_, select, update

from serving.store.erased import Erasure, Names, erasures_of, keep_key
from serving.store.frames import from_bytes
from serving.store.locks import Lock, hold
from serving.store.revisions import VALUES_AT_ONCE, hold_revisions
from serving.store.tables import (
    complaints,
    dead_letters,
    decisions,
    deliveries,
    erased,
    erased_decisions,
    events,
    exposures,
    follow_due,
    histories,
    outbox,
    people,
    requests,
    reservations,
    revisions,
)
from serving.store.upsert import insert_for


@dataclass(frozen=True)
class Person:
    """A customer with the ids that lead to rows which do not name them."""

    customer_id: str
    event_ids: Sequence[str]
    request_ids: Sequence[str]


# For longer than any sender asks whether a mail may still leave: 30 days to the farthest `earliest`
# (serving.deciding), 14 to the longest deadline (serving.settings), and 16 for who is late.
MAILS_KEPT = timedelta(days=60)

Eraser = Callable[[Connection, Person], None]


def rows_named(table: Table) -> Eraser:
    """Erases the rows of a table whose customer_id says whose they are."""

    def erase_rows(connection: Connection, person: Person) -> None:
        connection.execute(delete(table).where(table.c.customer_id == person.customer_id))

    return erase_rows


def rows_that_mention(table: Table, column: str) -> Eraser:
    """Erases the rows of a table in whose JSON `column` some text is the customer's id."""

    def erase_rows(connection: Connection, person: Person) -> None:
        connection.execute(delete(table).where(mentions(table.c[column], person.customer_id)))

    return erase_rows


def bodies_that_mention(table: Table, *, key: str, column: str) -> Eraser:
    """The same of a column of bytes as they came, whatever they are."""

    def erase_rows(connection: Connection, person: Person) -> None:
        ways = [way.encode() for way in _ways_to_write(person.customer_id)]
        every = connection.execute(select(table.c[key], table.c[column]))
        theirs = [name for name, body in every if any(way in body for way in ways)]
        for some in _some_at_a_time(theirs):
            connection.execute(delete(table).where(table.c[key].in_(some)))

    return erase_rows


def mentions(column: Any, customer_id: str) -> ColumnElement[bool]:
    """Whether a column of JSON texts holds the id as a whole text, written in either way."""
    ways = _ways_to_write(customer_id)
    return or_(*(column.contains(way, autoescape=True) for way in ways))


def _ways_to_write(customer_id: str) -> list[str]:
    return sorted({json.dumps(customer_id), json.dumps(customer_id, ensure_ascii=False)})


def _left_to_parsing(connection: Connection, person: Person) -> None:
    """Others' events stand in the same body; it goes when it is parsed, and theirs are dropped."""


def _their_answers(connection: Connection, person: Person) -> None:
    for some in _some_at_a_time(person.request_ids):
        connection.execute(delete(requests).where(requests.c.request_id.in_(some)))


def _their_complaints(connection: Connection, person: Person) -> None:
    """A complaint goes on counting in the brake, but whose it was nobody knows any more."""
    for some in _some_at_a_time(person.event_ids):
        theirs = select(complaints.c.event_id).where(complaints.c.event_id.in_(some))
        for event_id in connection.scalars(theirs).all():
            nameless = update(complaints).where(complaints.c.event_id == event_id)
            connection.execute(nameless.values(event_id=str(uuid4())))


# How a customer goes out of each table that can hold one. A table that is neither here nor in
# HOLD_NOBODY fails a test: whoever adds one says which it is.
ERASERS: Mapping[str, Eraser] = {
    **{
        table.name: rows_named(table)
        for table in (
            histories,
            people,
            events,
            decisions,
            exposures,
            reservations,
            revisions,
            follow_due,
            outbox,
        )  # fmt: skip
    },
    requests.name: _their_answers,
    complaints.name: _their_complaints,
    deliveries.name: _left_to_parsing,
    dead_letters.name: bodies_that_mention(dead_letters, key="number", column="body"),
}
HOLD_NOBODY: Mapping[str, str] = {
    "shelf": "products",
    "budget_uses": "sums of all customers alike",
    "settings_patches": "settings",
    "settings_kept": "settings",
    "settings_undos": "settings",
    "keys": "keys of callers, as hashes",
    "marks": "numbers and moments of the store's own",
    erased.name: "keyed hashes: what is left of who was erased",
    erased_decisions.name: "keyed hashes of decisions",
}


def erase(connection: Connection, names: Names, customer_id: str, *, at: datetime) -> Erasure:
    """Let nothing of the customer be left in the store but a keyed hash; twice is once.

    Who began anew after an erasure is erased again. Whatever is under way for them meanwhile
    finds them gone, since their revision is held here.
    """
    hold(connection, Lock.EVENTS)
    hold_revisions(connection, [customer_id])
    keep_key(connection, names)
    before = erasures_of(connection, names, [customer_id]).get(customer_id)
    name = names.name(customer_id)
    if before is None or before.again_at is not None:
        again = insert_for(connection, erased).values(name=name, at=at)
        connection.execute(
            again.on_conflict_do_update(
                index_elements=["name"], set_={"at": at, "again_at": None, "swept_at": None}
            )
        )
        before = Erasure(name, at, None, None)
    _remember_mails(connection, names, customer_id, at)
    person = _person(connection, customer_id)
    for eraser in ERASERS.values():
        eraser(connection, person)
    return before


def was_erased(connection: Connection, names: Names, decision_id: str) -> bool:
    """Whether a mail of this decision was under way when its customer was erased."""
    if connection.scalar(select(erased.c.name).limit(1)) is None:
        return False
    wanted = select(erased_decisions.c.name)
    wanted = wanted.where(erased_decisions.c.name == names.name(decision_id))
    return connection.scalar(wanted) is not None


def forget_mails(connection: Connection, *, before: datetime) -> None:
    """Nobody asks any more whether a mail of so long ago may leave."""
    connection.execute(delete(erased_decisions).where(erased_decisions.c.at < before))


def _remember_mails(connection: Connection, names: Names, customer_id: str, at: datetime) -> None:
    issued = select(decisions.c.decision_id).where(
        decisions.c.customer_id == customer_id,
        decisions.c.action == "send",
        decisions.c.state == "issued",
    )
    rows = [{"name": names.name(one), "at": at} for one in sorted(connection.scalars(issued).all())]
    if rows:
        connection.execute(insert_for(connection, erased_decisions).on_conflict_do_nothing(), rows)


def _person(connection: Connection, customer_id: str) -> Person:
    told = select(events.c.event_id).where(events.c.customer_id == customer_id)
    event_ids = set(connection.scalars(told))
    past = select(histories.c.history).where(histories.c.customer_id == customer_id)
    for body in connection.scalars(past):
        event_ids |= set(from_bytes(body).get_column("event_id"))
    receipts = select(decisions.c.receipt).where(decisions.c.customer_id == customer_id)
    asked = {json.loads(receipt).get("request_id") for receipt in connection.scalars(receipts)}
    return Person(customer_id, sorted(event_ids), sorted(asked - {None}))


def _some_at_a_time(ids: Collection[str]) -> Iterator[list[str]]:
    every = list(ids)
    for start in range(0, len(every), VALUES_AT_ONCE):
        yield every[start : start + VALUES_AT_ONCE]
