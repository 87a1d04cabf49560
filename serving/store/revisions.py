"""How often what we know of a customer has changed, and who may change it now."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, select

from serving.store.marks import read_mark, write_mark
from serving.store.tables import revisions
from serving.store.upsert import insert_for
from serving.store.values import some_at_a_time

# Where the revision of whoever has none yet begins: behind each that went with an erasure, so that
# no decision that was begun before it counts in a new life.
BEGINNING = "revisions_begin"


def revisions_of(connection: Connection, customer_ids: Collection[str]) -> dict[str, int]:
    """The revision of each customer; the beginning for whom nothing has happened yet."""
    moved: dict[str, int] = {}
    for some in some_at_a_time(sorted(set(customer_ids))):
        wanted = select(revisions).where(revisions.c.customer_id.in_(some))
        moved |= {row.customer_id: row.revision for row in connection.execute(wanted)}
    if all(customer_id in moved for customer_id in customer_ids):
        return moved
    begin = _beginning(connection)
    return {customer_id: moved.get(customer_id, begin) for customer_id in customer_ids}


def hold_revisions(connection: Connection, customer_ids: Collection[str]) -> dict[str, int]:
    """Like `revisions_of`, and nobody else can move them until this transaction ends.

    Customers without a row get one first, since only a row can be locked. Both steps go by
    customer_id and everybody takes them in this order, so no two wait for each other.
    """
    wanted = sorted(set(customer_ids))
    if connection.dialect.name == "sqlite":  # a writing transaction is alone
        return revisions_of(connection, wanted)
    there: set[str] = set()
    for some in some_at_a_time(wanted):
        known = select(revisions.c.customer_id).where(revisions.c.customer_id.in_(some))
        there |= set(connection.scalars(known))
    begin = 0 if there.issuperset(wanted) else _beginning(connection)
    missing = [{"customer_id": one, "revision": begin} for one in wanted if one not in there]
    if missing:
        connection.execute(insert_for(connection, revisions).on_conflict_do_nothing(), missing)
    # The row of a customer who is erased at this very moment is gone again: nothing is to be held.
    held = dict.fromkeys(wanted, begin)
    for some in some_at_a_time(wanted):
        rows = select(revisions).where(revisions.c.customer_id.in_(some))
        rows = rows.order_by(revisions.c.customer_id).with_for_update()
        held |= {row.customer_id: row.revision for row in connection.execute(rows)}
    return held


def advance(connection: Connection, customer_ids: Collection[str]) -> None:
    """Let no decision that was begun before now reserve a mail to these customers."""
    if connection.dialect.name != "sqlite":
        hold_revisions(connection, customer_ids)
    advance_held(connection, customer_ids)


def advance_held(connection: Connection, customer_ids: Collection[str]) -> None:
    """Like `advance`, for customers whose revisions this transaction holds already."""
    if not customer_ids:
        return
    moved_on = insert_for(connection, revisions).on_conflict_do_update(
        index_elements=["customer_id"], set_={"revision": revisions.c.revision + 1}
    )
    first = _beginning(connection) + 1
    rows = [{"customer_id": one, "revision": first} for one in sorted(set(customer_ids))]
    connection.execute(moved_on, rows)


def begin_behind(connection: Connection, revision: int) -> None:
    """Let whoever has no revision yet begin behind this one; one transaction at a time may."""
    if revision >= _beginning(connection):
        write_mark(connection, BEGINNING, str(revision + 1))


def _beginning(connection: Connection) -> int:
    return int(read_mark(connection, BEGINNING) or 0)
