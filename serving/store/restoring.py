"""A database that a backup is restored into: whether it is free, putting aside what is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl
from sqlalchemy import text

from serving.store import copying, sqlite
from serving.store.connections import MIGRATING_S, Connections, address_of, opened


def is_free(url: str) -> bool:
    """Whether the database at `url` holds no store; a file is not made by asking."""
    address = address_of(url)
    if address.get_backend_name() == "sqlite" and not sqlite.file_of(address).exists():
        return True
    connections = _opened(url)
    try:
        with connections.reading() as connection:
            return copying.is_empty(connection)
    finally:
        connections.close()


def put_aside(url: str, stamp: str, *, home: Path) -> str:
    """Rename the store at `url`; returns what it is called now, "" where it goes with its home."""
    address = address_of(url)
    if address.get_backend_name() == "sqlite":
        file = sqlite.file_of(address)
        if home in file.parents:
            return ""
        aside = file.with_name(f"{file.name}.{stamp}")
        for end in ("", "-wal", "-shm"):  # what is in the log belongs to the file
            part = file.with_name(file.name + end)
            if part.exists():
                part.rename(aside.with_name(aside.name + end))
        return str(aside)
    name = re.sub(r"[^a-z0-9]", "_", stamp.lower())
    connections = _opened(url)
    try:
        with connections.writing(unhurried=True) as connection:
            schema = connection.scalar(text("SELECT quote_ident(current_schema())"))
            connection.execute(text(f"ALTER SCHEMA {schema} RENAME TO {name}"))
            connection.execute(text(f"CREATE SCHEMA {schema}"))
    finally:
        connections.close()
    return f"schema {name} of the database"


def fill(
    url: str,
    revision: str,
    frames: Iterable[tuple[str, pl.DataFrame]],
    counters: Mapping[str, int],
) -> dict[str, int]:
    """Fill an empty database in one transaction; returns the rows by table."""
    connections = _opened(url)
    try:
        with connections.writing(unhurried=True) as connection:
            return copying.fill(connection, revision, frames, counters)
    finally:
        connections.close()


def _opened(url: str) -> Connections:
    return opened(address_of(url), MIGRATING_S)
