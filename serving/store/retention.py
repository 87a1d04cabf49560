"""What the store need not keep for ever, and letting go of it, a little at a time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, func, or_, select

from serving.store.tables import (
    dead_letters,
    decisions,
    exposures,
    outbox,
    requests,
    reservations,
)

Kind = Literal["decisions", "plans", "exposures", "requests", "dead_letters"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# Rows of one transaction: so few that a decision hardly waits for it.
AT_ONCE = 500


def count_older(
    connection: Connection, until: Mapping[Kind, datetime], *, now: datetime
) -> dict[Kind, int]:
    """How many rows of each kind are older than `until` says and may go."""
    return {
        kind: connection.scalar(
            select(func.count()).select_from(_table(kind)).where(_may_go(kind, before, now))
        )
        or 0
        for kind, before in until.items()
    }


def drop_some(connection: Connection, kind: Kind, before: datetime, *, now: datetime) -> int:
    """Let go of up to AT_ONCE rows of a kind; returns how many they were, 0 where none is left.

    With a decision its reservation goes, and what was handed out of it. Rows that somebody is at
    are passed by: they are found when this is called again.
    """
    table = _table(kind)
    keys = list(table.primary_key.columns)
    some = select(*keys).where(_may_go(kind, before, now)).limit(AT_ONCE)
    found = [tuple(row) for row in connection.execute(some.with_for_update(skip_locked=True))]
    if not found:
        return 0
    first = keys[0].in_({row[0] for row in found})
    if len(keys) == 1:
        connection.execute(delete(table).where(first))
    else:
        each = [and_(*(key == part for key, part in zip(keys, row, strict=True))) for row in found]
        for start in range(0, len(each), 100):  # SQLite nests so many conditions, not many more
            connection.execute(delete(table).where(or_(*each[start : start + 100])))
    if table is decisions:
        theirs = reservations.c.decision_id.in_({row[0] for row in found})
        connection.execute(delete(reservations).where(theirs))
        handed_out = outbox.c.decision_id.in_({row[0] for row in found})
        connection.execute(delete(outbox).where(handed_out))
    return len(found)


def _table(kind: Kind) -> Table:
    tables = {
        "decisions": decisions,
        "plans": decisions,
        "exposures": exposures,
        "requests": requests,
        "dead_letters": dead_letters,
    }
    return tables[kind]


def _may_go(kind: Kind, before: datetime, now: datetime) -> ColumnElement[bool]:
    if kind == "requests":
        return requests.c.at < before
    if kind == "dead_letters":
        return dead_letters.c.died_at < before
    if kind == "exposures":
        return exposures.c.as_of < before
    promised = exists().where(
        reservations.c.decision_id == decisions.c.decision_id,
        reservations.c.state == "reserved",
        reservations.c.expires_at > now,
    )
    return and_(decisions.c.plan.is_(kind == "plans"), decisions.c.as_of < before, ~promised)
