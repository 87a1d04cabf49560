"""Connections to the database: many readers, few writers, and one error when it is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import URL, Connection, Engine, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
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
from serving.store import postgresql, sqlite
from serving.store.schema import bring_up_to_date, is_up_to_date

# Faults of ours, not of the database: they must be seen as what they are.
OUR_FAULTS = (IntegrityError, ProgrammingError, DataError)
# So long at the most another process may be bringing the tables up to date.
MIGRATING_S = 60.0


class StoreUnavailable(OnjeError):
    """The store cannot be read or written now; trying again later may help."""

    exit_code = 14


@dataclass(frozen=True)
class Connections:
    """Two pools over one database: `reader` sees one moment, `writer` commits durably.

    `look` finds what a driver does not: a SQLite file that was deleted or replaced. What it says
    is raised as StoreUnavailable, and so is every fault of a database that cannot be reached,
    written or locked in time. `see` is what an operator looks at then. `is_another`: whether in
    its place there is another one, which only a new start opens.
    """

    reader: Engine
    writer: Engine
    place: str
    see: str
    look: Callable[[], str | None]
    is_another: Callable[[], bool]

    @contextmanager
    def reading(self, *, unhurried: bool = False) -> Iterator[Connection]:
        """A transaction in which every statement sees the same state.

        `unhurried`: its statements may take longer than patience lasts.
        """
        with self._transaction(self.reader, unhurried) as connection:
            yield connection

    @contextmanager
    def writing(self, *, unhurried: bool = False) -> Iterator[Connection]:
        """A transaction that is durable when it ends; on SQLite it holds the write lock."""
        with self._transaction(self.writer, unhurried) as connection:
            yield connection

    def close(self) -> None:
        self.reader.dispose()
        self.writer.dispose()

    @contextmanager
    def _transaction(self, engine: Engine, unhurried: bool) -> Iterator[Connection]:
        problem = self.look()
        if problem:
            raise StoreUnavailable(problem)
        try:
            with engine.begin() as connection:
                if unhurried and connection.dialect.name == "postgresql":
                    connection.execute(text("SET LOCAL statement_timeout = 0"))
                yield connection
        except OUR_FAULTS:
            raise
        except (DBAPIError, PoolTimeoutError) as fault:
            raise StoreUnavailable(
                f"the store at {self.place} does not answer: {_said(fault)}; see {self.see}"
            ) from fault


def connect(url: str, *, patience_s: float) -> Connections:
    """Open the database at `url` and bring its tables up to date.

    A transaction waits `patience_s` seconds for its turn, then raises StoreUnavailable.
    """
    address = address_of(url)
    connections = opened(address, patience_s)
    try:
        with connections.reading() as connection:
            is_ready = is_up_to_date(connection)
        if not is_ready:
            # Another process may be at it, and it may take a while.
            patient = opened(address, max(patience_s, MIGRATING_S))
            try:
                bring_up_to_date(partial(patient.writing, unhurried=True))
            finally:
                patient.close()
        connections.look()  # from here on it is this file
    except BaseException:
        connections.close()
        raise
    return connections


def opened(address: URL, patience_s: float) -> Connections:
    """Connections to the database as it is: nobody has looked what tables it has."""
    on = _on_sqlite if address.get_backend_name() == "sqlite" else _on_postgresql
    return on(address, patience_s)


def address_of(url: str) -> URL:
    """The address that `url` names; SettingsError where it is of another kind of database."""
    try:
        address = make_url(url)
    except ArgumentError:
        address = URL.create("none")
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    known = {"sqlite": bool(address.database), "postgresql+psycopg": True}
    if not known.get(address.drivername) or address.database == ":memory:":
        raise SettingsError(
            f"the store is at {address.render_as_string() if address.host else url!r}; give a "
            "file, sqlite:////var/onje/store.db, or a database, "
            "postgresql://onje@db.example.com/onje"
        )
    return address


def _on_sqlite(address: URL, patience_s: float) -> Connections:
    file = sqlite.file_of(address)
    same = sqlite.SameFile(file)
    reader, writer = sqlite.engines(address, patience_s)
    return Connections(
        reader,
        writer,
        place=str(file),
        see="that the disk has room, that the file may be written and who holds its lock",
        look=same,
        is_another=same.is_another,
    )


def _on_postgresql(address: URL, patience_s: float) -> Connections:
    reader, writer = postgresql.engines(address, patience_s)
    return Connections(
        reader,
        writer,
        place=postgresql.place_of(address),
        see="that the server runs, can be reached and may be written, and who holds its locks",
        look=lambda: None,
        is_another=lambda: False,
    )


def _said(fault: SQLAlchemyError) -> str:
    """Only the driver's own sentence: SQLAlchemy's message also holds statement and values."""
    if not isinstance(fault, DBAPIError):
        return "all connections are taken"
    diagnosis: Any = getattr(fault.orig, "diag", None)  # PostgreSQL's details name values, too
    primary: str | None = getattr(diagnosis, "message_primary", None)
    return primary or " ".join(str(fault.orig).split())
