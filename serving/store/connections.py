"""Connections to the database: many readers, one writer, and one error when it is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import (
    TimeoutError as PoolTimeoutError,
)

from features.errors import OnjeError, SettingsError
from serving.store import exposures
from serving.store.tables import metadata

# Threads that read at once; each connection keeps its own page cache.
READERS = 8
# Faults of ours, not of the database: they must be seen as what they are.
OUR_FAULTS = (IntegrityError, ProgrammingError, DataError)


class StoreUnavailable(OnjeError):
    """The store cannot be read or written now; trying again later may help."""

    exit_code = 14


@dataclass(frozen=True)
class Connections:
    """Two pools over one database: `reader` sees a snapshot, `writer` is one connection.

    `identity` is that of `file` when it was opened; without it, or with another file in its place,
    every transaction raises StoreUnavailable.
    """

    reader: Engine
    writer: Engine
    file: Path
    identity: tuple[int, int]

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction in which every statement sees the same state."""
        self._see_the_same_file()
        with _explained(self.reader), self.reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its start; durable when it ends."""
        self._see_the_same_file()
        with _explained(self.writer), self.writer.begin() as connection:
            yield connection

    def close(self) -> None:
        self.reader.dispose()
        self.writer.dispose()

    def _see_the_same_file(self) -> None:
        # SQLite goes on writing into a file that was deleted, and would acknowledge what is lost.
        try:
            found = identity_of(self.file)
        except OSError:
            found = None
        if found != self.identity:
            raise StoreUnavailable(
                f"the store's file {self.file} is gone or was replaced; restart the service"
            )


def connect(url: str, *, patience_s: float) -> Connections:
    """Open the database at `url`, a SQLite file, and lay its tables if they are not there.

    A transaction waits `patience_s` seconds for its turn, then raises StoreUnavailable.
    """
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        raise SettingsError(f"the store is at {url!r}; give a file: sqlite:////var/onje/store.db")
    file = Path(address.database).absolute()
    file.parent.mkdir(parents=True, exist_ok=True)
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
    with _explained(writer), writer.begin() as connection:
        are_unread = exposures.are_unread(connection)
        metadata.create_all(connection)
        if are_unread:
            exposures.note_all(connection)
        identity = identity_of(file)
    return Connections(reader, writer, file, identity)


def identity_of(file: Path) -> tuple[int, int]:
    """What a file is, whatever its name: its device and its number there."""
    found = file.stat()
    return found.st_dev, found.st_ino


def _prepare(connection: Any, _record: Any) -> None:
    # The driver would begin transactions by itself, too late and too weakly: most of concurrent
    # writers then fail as locked. `_beginner` begins them.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # an acknowledged write survives a power cut


def _beginner(statement: str) -> Any:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin


@contextmanager
def _explained(engine: Engine) -> Iterator[None]:
    """Turn what the driver says of a database that is gone, full or locked into one error."""
    try:
        yield
    except OUR_FAULTS:
        raise
    except (DBAPIError, PoolTimeoutError) as fault:
        raise StoreUnavailable(
            f"the store at {engine.url.database} does not answer: {_said(fault)}; "
            "see that the disk has room, that the file may be written and who holds its lock"
        ) from fault


def _said(fault: SQLAlchemyError) -> str:
    # Only the driver's own sentence: SQLAlchemy's message also holds statement and values.
    return str(fault.orig) if isinstance(fault, DBAPIError) else "all connections are taken"
