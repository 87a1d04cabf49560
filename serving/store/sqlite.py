"""The store in a file: one writer at a time, readers beside it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event

# Threads that read at once; each connection keeps its own page cache.
READERS = 8


class SameFile:
    """Says whether the file is still the one that was first seen.

    SQLite goes on writing into a file that was deleted, and would acknowledge what is lost.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._identity: tuple[int, int] | None = None

    def __call__(self) -> str | None:
        """What is wrong; None where nothing is, and until the file has been there once."""
        try:
            found = identity_of(self._file)
        except OSError:
            found = None
        if self._identity is None:
            self._identity = found
        if found == self._identity:
            return None  # also where it was moved away and is back
        return f"the store's file {self._file} is gone or was replaced; restart the service"

    def is_another(self) -> bool:
        """Whether another file is there: then only a new start helps."""
        try:
            return self._identity is not None and identity_of(self._file) != self._identity
        except OSError:
            return False


def identity_of(file: Path) -> tuple[int, int]:
    """What a file is, whatever its name: its device and its number there."""
    found = file.stat()
    return found.st_dev, found.st_ino


def file_of(address: URL) -> Path:
    return Path(address.database or "").absolute()


def engines(address: URL, patience_s: float) -> tuple[Engine, Engine]:
    """Reader and writer; the file and its folder are made, here and nowhere later."""
    file = file_of(address)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make(file)
    # A connection that made an empty file where the store is gone would be in its way for good.
    address = address.set(
        database=f"file:{quote(str(file))}", query={**address.query, "mode": "rw", "uri": "true"}
    )
    common: dict[str, Any] = {
        "connect_args": {"timeout": patience_s},
        "pool_timeout": patience_s,
        "max_overflow": 0,
        # A fault's message would hold the values: ids of customers, receipts, in the log.
        "hide_parameters": True,
    }
    reader = create_engine(address, pool_size=READERS, **common)
    # One writer per process: SQLite lets one write at a time, and waiting in the pool is fair
    # and cheap where waiting for the file's lock is a poll.
    writer = create_engine(address, pool_size=1, **common)
    for engine, begin in ((reader, "BEGIN"), (writer, "BEGIN IMMEDIATE")):
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _beginner(begin))
    return reader, writer


def _make(file: Path) -> None:
    """An empty file that only its owner may read; SQLite makes its logs alike."""
    # What else forbids to make it, SQLite says when it opens it.
    with suppress(OSError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _prepare(connection: Any, _record: Any) -> None:
    # The driver would begin transactions by itself, too late and too weakly: most of concurrent
    # writers then fail as locked. `_beginner` begins them.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA secure_delete=ON")  # what is deleted is written over
    connection.execute("PRAGMA synchronous=FULL")  # an acknowledged write survives a power cut


def _beginner(statement: str) -> Any:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin
