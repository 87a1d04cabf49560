"""What the lake published: the past of each customer, who they are, and the shelf."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import Connection, delete, func, select

from features.history import newest
from features.people import as_known
from features.tables import CUSTOMERS, HISTORY
from serving.store import follow
from serving.store.connections import Connections
from serving.store.erased import Names, erasures_of_held, is_gone
from serving.store.frames import from_bytes, from_lines, to_bytes, to_lines
from serving.store.locks import Lock, hold
from serving.store.marks import read_mark, write_mark
from serving.store.revisions import advance, hold_revisions
from serving.store.tables import events, histories, people, shelf
from serving.store.upsert import insert_for
from serving.tables import UTC

# Customers whose rows are replaced in one transaction: long enough to be quick, short enough
# that a decision hardly waits for it.
CHUNK = 200
PUBLISHED = "published"


@dataclass(frozen=True)
class Shelf:
    """The products on sale and where each stands, so that a few are found without a search."""

    version: int
    products: pl.DataFrame
    rows: Mapping[str, int]

    def of(self, product_ids: Iterable[str]) -> pl.DataFrame:
        """The rows of those products that the shelf has."""
        found = [row for row in map(self.rows.get, product_ids) if row is not None]
        return self.products[found]


def publish(
    connections: Connections,
    history: pl.DataFrame,
    customers: pl.DataFrame,
    products: pl.DataFrame,
    *,
    newest_events: int,
    compaction: int,
    about: Mapping[str, Any],
    names: Names,
) -> int:
    """Replace what is known of every customer in these frames; returns how many they are.

    Each customer is replaced as a whole, so a publication that was killed has left every customer
    either as before or as now, and may be run again; as by an event, their revision moves on.
    A new shelf moves nobody's: there is one for all.
    Online events up to `compaction` are let go only in the end: until then they are in both
    places, which changes nothing.
    """
    kept = newest(history, newest_events).sort("customer_id", "at", "event_id")
    parts = kept.partition_by("customer_id", maintain_order=True)
    for start in range(0, len(parts), CHUNK):
        chunk = parts[start : start + CHUNK]
        # Packed before anything is held, since that takes longer than writing it.
        packed = {part["customer_id"][0]: (part, to_bytes(part)) for part in chunk}
        with connections.writing() as connection:
            rows = _pasts_without_erased(connection, packed, names)
            _replace(connection, histories, rows)
            advance(connection, [row["customer_id"] for row in rows])
    persons = newest_persons(customers)
    for start in range(0, persons.height, CHUNK):
        with connections.writing() as connection:
            some = _without_erased(connection, persons[start : start + CHUNK], names, "known_at")
            changed = _changed(connection, _as_rows(some))
            if changed:
                _replace(connection, people, changed)
                advance(connection, [row["customer_id"] for row in changed])
    with connections.writing(unhurried=True) as connection:
        hold(connection, Lock.PUBLICATION)
        version = (connection.scalar(select(func.max(shelf.c.version))) or 0) + 1
        connection.execute(delete(shelf))
        connection.execute(
            shelf.insert().values(version=version, products=to_bytes(products.sort("product_id")))
        )
        follow.note_unread(connection, compaction=compaction)
        connection.execute(delete(events).where(events.c.compacted <= compaction))
        write_mark(connection, PUBLISHED, json.dumps(dict(about)))
    return len(parts)


def publication(connection: Connection) -> dict[str, Any] | None:
    """What the last publication said of itself; None before the first."""
    value = read_mark(connection, PUBLISHED)
    found: dict[str, Any] | None = None if value is None else json.loads(value)
    return found


def pasts_of(connection: Connection, customer_ids: Collection[str]) -> list[pl.DataFrame]:
    """The published history of each customer who has one, columns of History."""
    wanted = select(histories.c.history).where(histories.c.customer_id.in_(customer_ids))
    columns = HISTORY.columns
    pasts = (from_bytes(body) for body in connection.scalars(wanted))
    # A past that was published before HISTORY got its newest columns does not know them.
    return [past if past.columns == columns else HISTORY.shape(past) for past in pasts]


def persons_of(connection: Connection, customer_ids: Collection[str]) -> pl.DataFrame:
    """The customers of these who are known as persons, columns of CUSTOMERS."""
    wanted = select(people.c.person).where(people.c.customer_id.in_(customer_ids))
    return from_lines(connection.scalars(wanted), CUSTOMERS)


def shelf_of(connection: Connection, known: Shelf | None) -> Shelf | None:
    """The shelf; `known` itself while it is the newest, since reading one takes milliseconds."""
    version = connection.scalar(select(shelf.c.version))
    if version is None or (known is not None and known.version == version):
        return known
    products = from_bytes(connection.execute(select(shelf.c.products)).scalar_one())
    rows = {product_id: row for row, product_id in enumerate(products["product_id"])}
    return Shelf(version, products, rows)


def some_customers(connection: Connection, count: int) -> list[str]:
    """A few customers with a past, to warm up with."""
    return list(connection.scalars(select(histories.c.customer_id).limit(count)))


def newest_persons(customers: pl.DataFrame) -> pl.DataFrame:
    """Who each customer is by the newest row of CUSTOMERS, as features read it of the lake."""
    newest_telling = customers.select("customer_id").unique(maintain_order=True)
    newest_telling = newest_telling.with_columns(as_of=pl.lit(customers["known_at"].max(), UTC))
    return as_known(customers, newest_telling).select(CUSTOMERS.columns)


def _as_rows(persons: pl.DataFrame) -> list[dict[str, Any]]:
    return [
        {"customer_id": customer_id, "person": line}
        for customer_id, line in zip(persons["customer_id"], to_lines(persons), strict=True)
    ]


def _pasts_without_erased(
    connection: Connection, packed: Mapping[str, tuple[pl.DataFrame, bytes]], names: Names
) -> list[dict[str, Any]]:
    """But for erased lives, be it that they were erased since the lake was read.

    Whoever began anew has only what happened since, however much of their past the lake yet holds.
    """
    erasures = erasures_of_held(connection, names, hold_revisions(connection, packed))
    rows = []
    for customer_id, (past, body) in packed.items():
        if customer_id in erasures:
            past = past.filter(~is_gone(past, erasures, "at"))
            if past.is_empty():
                continue
            body = to_bytes(past)
        rows.append({"customer_id": customer_id, "history": body})
    return rows


def _without_erased(
    connection: Connection, rows: pl.DataFrame, names: Names, when: str
) -> pl.DataFrame:
    """The rows of customers that are not of an erased life at the moment `when`."""
    held = hold_revisions(connection, rows["customer_id"].to_list())
    return rows.filter(~is_gone(rows, erasures_of_held(connection, names, held), when))


def _changed(connection: Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those rows of `people` that say something else than what is there."""
    wanted = select(people).where(people.c.customer_id.in_([row["customer_id"] for row in rows]))
    before = {row.customer_id: row.person for row in connection.execute(wanted)}
    return [row for row in rows if before.get(row["customer_id"]) != row["person"]]


def _replace(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    key, value = (column.name for column in table.columns)
    if not rows:
        return
    statement = insert_for(connection, table)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[key], set_={value: statement.excluded[value]}
        ),
        rows,
    )
