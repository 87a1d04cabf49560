"""The conditions in force, as the store keeps them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from serving.conditions import NO_CONDITIONS, Conditions
from serving.store.locks import Lock, hold
from serving.store.marks import read_mark, write_mark

MARK = "conditions"


def conditions_of(connection: Connection) -> Conditions:
    """NO_CONDITIONS until some were kept."""
    kept = read_mark(connection, MARK)
    return NO_CONDITIONS if kept is None else Conditions.from_json(kept)


def change_conditions(
    connection: Connection, change: Callable[[Conditions], Conditions]
) -> Conditions:
    """Let `change` of those in force be in force, within a writing transaction."""
    hold(connection, Lock.CONDITIONS)
    changed = change(conditions_of(connection))
    keep_conditions(connection, changed)
    return changed


def note_launch(connection: Connection, at: datetime) -> None:
    """Note that a decision was made live, unless one was before."""
    hold(connection, Lock.CONDITIONS)
    found = conditions_of(connection)
    if found.launched_at is None:
        keep_conditions(connection, replace(found, launched_at=at))


def keep_conditions(connection: Connection, conditions: Conditions) -> None:
    write_mark(connection, MARK, conditions.to_json())
