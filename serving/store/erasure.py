"""Erasing a customer from the store: every table that may hold them, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, Table, delete, select, update

from serving.store import naming
from serving.store.erased import Erasure, Names, erasures_of, has_erased, keep_key
from serving.store.frames import from_bytes
from serving.store.locks import Lock, hold
from serving.store.revisions import begin_behind, hold_revisions
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
from serving.store.values import some_at_a_time


@dataclass(frozen=True)
class Person:
    """A customer with the ids that lead to rows which do not name them."""

    customer_id: str
    event_ids: Sequence[str]
    request_ids: Sequence[str]


# For longer than any sender asks whether a mail may still leave: 30 days to the farthest `earliest`
# (serving.deciding), 14 to the longest deadline (serving.settings), and 16 for who is late.
MAILS_KEPT = timedelta(days=60)
# What lay unparsed for so long is of a source that is no longer set up: nobody will parse it.
UNPARSED_KEPT = timedelta(days=7)
# Bodies that are held in memory at a time.
ROWS_AT_ONCE = 100

Eraser = Callable[[Connection, Person], None]


def rows_named(table: Table) -> Eraser:
    """Erases the rows of a table whose customer_id says whose they are."""

    def erase_rows(connection: Connection, person: Person) -> None:
        connection.execute(delete(table).where(table.c.customer_id == person.customer_id))

    return erase_rows


def bodies_that_name(table: Table) -> Eraser:
    """Erases the rows (by `number`) of a table in whose `body` the customer's id stands."""

    def erase_rows(connection: Connection, person: Person) -> None:
        every = select(table.c.number, table.c.body).execution_options(yield_per=ROWS_AT_ONCE)
        theirs = [
            number
            for number, body in connection.execute(every)
            if naming.names(bytes(body), person.customer_id)
        ]
        for some in some_at_a_time(theirs):
            connection.execute(delete(table).where(table.c.number.in_(some)))

    return erase_rows


def _left_to_parsing(connection: Connection, person: Person) -> None:
    """Others' events stand in the same body; it goes when it is parsed, and theirs are dropped.

    What nobody parses, `drop_unparsed` lets go.
    """


def _their_answers(connection: Connection, person: Person) -> None:
    for some in some_at_a_time(person.request_ids):
        connection.execute(delete(requests).where(requests.c.request_id.in_(some)))


def _their_complaints(connection: Connection, person: Person) -> None:
    """A complaint goes on counting in the brake, but whose it was nobody knows any more."""
    for some in some_at_a_time(person.event_ids):
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
    dead_letters.name: bodies_that_name(dead_letters),
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
    held = hold_revisions(connection, [customer_id])
    begin_behind(connection, held[customer_id])
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
    if not has_erased(connection, names):
        return False
    wanted = select(erased_decisions.c.name)
    wanted = wanted.where(erased_decisions.c.name == names.name(decision_id))
    return connection.scalar(wanted) is not None


def forget_mails(connection: Connection, *, before: datetime) -> None:
    """Nobody asks any more whether a mail of so long ago may leave."""
    connection.execute(delete(erased_decisions).where(erased_decisions.c.at < before))


def drop_unparsed(connection: Connection, names: Names, *, before: datetime) -> int:
    """Let go of the webhooks' bodies of before then that name who was erased; how many they were.

    But for those that came in a new life.
    """
    if not has_erased(connection, names):
        return 0
    left = select(deliveries.c.number, deliveries.c.received_at, deliveries.c.body)
    left = left.where(deliveries.c.received_at < before)
    theirs = []
    for row in connection.execute(left.execution_options(yield_per=ROWS_AT_ONCE)):
        told = erasures_of(connection, names, naming.texts_in(bytes(row.body)))
        begun = [one.again_at for one in told.values()]
        if any(again_at is None or row.received_at < again_at for again_at in begun):
            theirs.append(row.number)
    for some in some_at_a_time(theirs):
        connection.execute(delete(deliveries).where(deliveries.c.number.in_(some)))
    return len(theirs)


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
