"""What only one transaction may do at a time, whoever it is, until it ends.

On SQLite a writing transaction is alone anyway. On PostgreSQL several write at once; where rows
cannot be locked because they do not exist yet, or where the order of transactions counts, one of
these is held. Who needs several things takes them in this order, so that no two wait for each
other: EVENTS, rows of `revisions` by customer_id, the other locks, rows of other tables by key.
"""

from __future__ import annotations

from enum import Enum

from sqlalchemy import Connection, text


class Lock(Enum):
    """What is done alone; the value is the lock's number in the database."""

    SCHEMA = 7_301
    # Numbers of events: an event is seen only when all with smaller numbers are, so that who
    # reads on from the last number that was seen misses none.
    EVENTS = 7_302
    PUBLICATION = 7_303
    # Marks that are read, changed and written.
    CONDITIONS = 7_304
    COMPACTION = 7_305
    # Reading on in the events, for who decides unasked.
    FOLLOWING = 7_306


def hold(connection: Connection, lock: Lock) -> None:
    """Wait until no other transaction holds `lock`, and hold it until this one ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": lock.value})
