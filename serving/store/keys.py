"""Keys of callers, as the store keeps them: their hashes, never their secrets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from features.errors import DataError
from serving.access.keys import Key
from serving.access.scopes import Scope
from serving.store.tables import keys


def add_key(connection: Connection, key: Key) -> None:
    connection.execute(insert(keys), _row(key))


def all_keys(connection: Connection) -> list[Key]:
    """Every key there ever was, also expired and revoked ones, the oldest first."""
    found = connection.execute(select(keys).order_by(keys.c.created_at, keys.c.key_id))
    return [_key(row) for row in found.mappings()]


def key_of(connection: Connection, key_id: str) -> Key:
    """The key of this id, locked where it will be changed; DataError where there is none."""
    wanted = select(keys).where(keys.c.key_id == key_id).with_for_update()
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        raise DataError(f"no key has the id {key_id!r}; see onje keys list")
    return _key(row)


def change_key(connection: Connection, key: Key) -> None:
    row = _row(key)
    connection.execute(update(keys).where(keys.c.key_id == key.key_id).values(row))


def note_uses(connection: Connection, uses: Mapping[str, datetime]) -> None:
    """Keep when keys were last used; an earlier moment than the kept one changes nothing."""
    for key_id, at in uses.items():
        is_older = keys.c.last_used_at.is_(None) | (keys.c.last_used_at < at)
        connection.execute(
            update(keys).where(keys.c.key_id == key_id, is_older).values(last_used_at=at)
        )


def _row(key: Key) -> dict[str, Any]:
    return {**vars(key), "scopes": " ".join(sorted(key.scopes))}


def _key(row: RowMapping) -> Key:
    scopes = frozenset(Scope(name) for name in row["scopes"].split())
    return Key(**{**row, "scopes": scopes})
