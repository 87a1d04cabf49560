"""All rows of a store as frames and back: the same copy for either database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    select,
    text,
)

from features.errors import DamagedError, NotReadyError
from serving.store.schema import REVISIONS, migrate
from serving.store.tables import Instant, metadata

# Rows of one frame: 500 histories of 300 events take 6 MB.
AT_ONCE = 500
# How a value rests; the first that fits is taken.
AT_REST: tuple[tuple[type[Any], pl.DataType, type[Any]], ...] = (
    (Instant, pl.Int64(), BigInteger),
    (Boolean, pl.Boolean(), Boolean),
    (Double, pl.Float64(), Double),
    (LargeBinary, pl.Binary(), LargeBinary),
    (BigInteger, pl.Int64(), BigInteger),
    (Integer, pl.Int64(), BigInteger),
    (Text, pl.String(), Text),
    (String, pl.String(), Text),
)


def frames_of(connection: Connection) -> Iterator[tuple[str, pl.DataFrame]]:
    """Every table by name, some rows at a time, as they rest; an empty one once.

    In a reading transaction all are of one moment, whoever writes meanwhile.
    """
    for table in metadata.sorted_tables:
        schema = pl.Schema({column.name: _at_rest(column)[0] for column in table.columns})
        resting = Table(
            table.name, MetaData(), *(Column(c.name, _at_rest(c)[1]) for c in table.columns)
        )
        wanted = select(resting).order_by(*(resting.c[key.name] for key in table.primary_key))
        streamed = connection.execution_options(yield_per=AT_ONCE).execute(wanted)
        some = None
        for some in streamed.partitions():
            rows = [tuple(row) for row in some]
            yield table.name, pl.DataFrame(rows, schema=schema, orient="row")
        if some is None:
            yield table.name, pl.DataFrame(schema=schema)


def counters_of(connection: Connection) -> dict[str, int]:
    """The last number that each table gave, also of rows that are gone: none may return."""
    if connection.dialect.name == "sqlite":
        rows = connection.execute(text("SELECT name, seq FROM sqlite_sequence")).all()
        return {str(name): int(last) for name, last in rows}
    last = {table: _sequence(connection, table, key) for table, key in _counted(connection)}
    return {
        table: int(connection.scalar(text(f"SELECT last_value FROM {sequence}")) or 0)
        for table, sequence in last.items()
        if sequence
    }


def is_empty(connection: Connection) -> bool:
    """Whether the database holds no store."""
    return not set(inspect(connection).get_table_names()) & set(metadata.tables)


@dataclass(frozen=True)
class Backup:
    """What a store is filled from: frames as `frames_of` gave them, and what was said of them."""

    revision: str
    frames: Iterable[tuple[str, pl.DataFrame]]
    counters: Mapping[str, int]
    rows: Mapping[str, int]


def fill(connection: Connection, backup: Backup) -> None:
    """Lay the tables of the backup's revision into an empty database and fill them.

    Opening the store brings them up to this release afterwards. Raises NotReadyError where
    something is there, DamagedError where the revision is unknown to this release or rows lack.
    """
    if backup.revision not in REVISIONS:
        raise DamagedError(
            f"the backup is of a newer release of Onje (its tables are {backup.revision!r}, this "
            f"release knows up to {REVISIONS[-1]!r}); install that release"
        )
    if not is_empty(connection):
        raise NotReadyError("the database holds a store already; restore with --replace")
    migrate(connection, backup.revision)
    laid = MetaData()
    laid.reflect(connection)
    filled: dict[str, int] = {}
    for name, frame in backup.frames:
        rows = frame.rows(named=True)
        if rows:
            connection.execute(_plain(laid.tables[name], frame.columns).insert(), rows)
        filled[name] = filled.get(name, 0) + len(rows)
    if filled != backup.rows:
        raise DamagedError(f"the backup holds {filled} rows and says {dict(backup.rows)}")
    _count_on(connection, backup.counters)


def _count_on(connection: Connection, counters: Mapping[str, int]) -> None:
    if connection.dialect.name == "sqlite":
        for name, last in counters.items():
            values = {"name": name, "last": last}
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
            connection.execute(
                text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), values
            )
        return
    for table, key in _counted(connection):
        sequence = _sequence(connection, table, key)
        newest = connection.scalar(text(f"SELECT max({key}) FROM {table}")) or 0
        last = max(newest, counters.get(table, 0))
        if sequence and last:
            connection.execute(
                text("SELECT setval(:name, :last)"), {"name": sequence, "last": last}
            )


def _counted(connection: Connection) -> Sequence[tuple[str, str]]:
    """Tables whose key the database counts, with the key."""
    there = set(inspect(connection).get_table_names())
    return [
        (table.name, column.name)
        for table in metadata.sorted_tables
        if table.name in there and (column := table.autoincrement_column) is not None
    ]


def _sequence(connection: Connection, table: str, key: str) -> str | None:
    named = text("SELECT pg_get_serial_sequence(:table, :key)")
    sequence: str | None = connection.scalar(named, {"table": table, "key": key})
    return sequence


def _plain(table: Table, columns: Sequence[str]) -> Table:
    """The table with values as they rest."""
    return Table(
        table.name, MetaData(), *(Column(name, _at_rest(table.c[name])[1]) for name in columns)
    )


def _at_rest(column: Column[Any]) -> tuple[pl.DataType, type[Any]]:
    return next((kind, plain) for known, kind, plain in AT_REST if isinstance(column.type, known))
