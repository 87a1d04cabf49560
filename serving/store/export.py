"""Everything that the store holds of one customer, row by row, for themselves to read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from serving.store.frames import from_bytes
from serving.store.inbox import online_events_of
from serving.store.tables import decisions, exposures, histories, people, reservations

ROWS_AT_ONCE = 100


@dataclass(frozen=True)
class Holding:
    """One row: `part` says of what, `row` what it says."""

    part: str
    row: Mapping[str, Any]


def holding(connection: Connection, customer_id: str) -> Iterator[Holding]:
    """The parts person, past, event, decision, promise and experiment, each as often as it is.

    `past` are the events that were published from the lake, `event` those that it lacks yet.
    """
    person = select(people.c.person).where(people.c.customer_id == customer_id)
    for line in connection.scalars(person):
        yield Holding("person", json.loads(line))
    past = select(histories.c.history).where(histories.c.customer_id == customer_id)
    for body in connection.scalars(past):
        for row in from_bytes(body).iter_rows(named=True):
            yield Holding("past", row)
    for row in online_events_of(connection, [customer_id]).events.iter_rows(named=True):
        yield Holding("event", row)
    for part, table, order in (
        ("decision", decisions, decisions.c.as_of),
        ("promise", reservations, reservations.c.send_at),
        ("experiment", exposures, exposures.c.as_of),
    ):
        theirs = select(table).where(table.c.customer_id == customer_id).order_by(order)
        found = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(theirs)
        for found_row in found.mappings():
            told: dict[str, Any] = dict(found_row)
            if "receipt" in told:
                told["receipt"] = json.loads(told["receipt"])
            yield Holding(part, told)
