"""The conditions in force, as the store keeps them."""

from __future__ import annotations

from sqlalchemy import Connection

from serving.conditions import NO_CONDITIONS, Conditions
from serving.store.marks import read_mark, write_mark

MARK = "conditions"


def conditions_of(connection: Connection) -> Conditions:
    """NO_CONDITIONS until some were kept."""
    kept = read_mark(connection, MARK)
    return NO_CONDITIONS if kept is None else Conditions.from_json(kept)


def keep_conditions(connection: Connection, conditions: Conditions) -> None:
    write_mark(connection, MARK, conditions.to_json())
