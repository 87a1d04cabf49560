"""A database that a backup is restored into: whether it is free, and taking its place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from serving.store import copying, sqlite
from serving.store.connections import MIGRATING_S, Connections, address_of, opened
from serving.store.copying import Backup
from serving.store.locks import Lock, hold


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


@contextmanager
def replaced(
    url: str, backup: Backup, *, stamp: str, home: Path, new_home: Path
) -> Iterator[list[str]]:
    """The backup in the place of the store at `url`; gives what the store there is called now.

    The place is changed when the block ends, and not at all where it raises: until then the store
    of a home rests in `new_home`, another file under another name, and a database in one
    transaction. Raises what `copying.fill` raises.
    """
    address = address_of(url)
    if address.get_backend_name() != "sqlite":
        with _of_a_database(url, backup, stamp) as kept:
            yield kept
        return
    file = sqlite.file_of(address)
    named = file.parent.resolve() / file.name
    if home.resolve() in named.parents:
        _fill(new_home / named.relative_to(home.resolve()), backup)
        yield []
        return
    new = file.with_name(f".{file.name}.restoring-{os.getpid()}")
    aside = file.with_name(f"{file.name}.{stamp}")
    try:
        _fill(new, backup)
        is_there = file.exists()
        yield [str(aside)] if is_there else []
        try:
            if is_there:
                _move(file, aside)
            _move(new, file)
        except OSError:
            _move(aside, file)
            raise
    finally:
        for part in _parts(new):
            part.unlink(missing_ok=True)


@contextmanager
def _of_a_database(url: str, backup: Backup, stamp: str) -> Iterator[list[str]]:
    name = re.sub(r"[^a-z0-9]", "_", stamp.lower())
    connections = _opened(url)
    try:
        with connections.writing(unhurried=True) as connection:
            hold(connection, Lock.SCHEMA)
            is_there = not copying.is_empty(connection)
            if is_there:
                schema = connection.scalar(text("SELECT quote_ident(current_schema())"))
                connection.execute(text(f"ALTER SCHEMA {schema} RENAME TO {name}"))
                connection.execute(text(f"CREATE SCHEMA {schema}"))
            copying.fill(connection, backup)
            yield [f"schema {name} of the database"] if is_there else []
    finally:
        connections.close()


def _fill(file: Path, backup: Backup) -> None:
    """Make a file of SQLite that holds the backup, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    connections = _opened(f"sqlite:///{file}")
    try:
        with connections.writing(unhurried=True) as connection:
            copying.fill(connection, backup)
    finally:
        connections.close()


def _move(file: Path, to: Path) -> None:
    """What is in the log of a file belongs to it."""
    for part, its_place in zip(_parts(file), _parts(to), strict=True):
        if part.exists():
            part.rename(its_place)


def _parts(file: Path) -> list[Path]:
    return [file.with_name(file.name + end) for end in ("-wal", "-shm", "")]


def _opened(url: str) -> Connections:
    return opened(address_of(url), MIGRATING_S)
