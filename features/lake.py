"""Where tables rest: Delta Lake in a folder, atomic commits, versions, one writer per table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import polars as pl
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    SchemaMismatchError,
    TableNotFoundError,
)
from filelock import FileLock

from features.contracts import SIMULATED
from features.errors import NotReadyError, OnjeError
from features.hashing import bucket_of, with_bucket
from features.once import content_id, unique_events
from features.tables import CUSTOMERS, EVENTS, PRODUCTS

# What tells one row of a table from another; a table without keys only grows.
_KEYS: dict[str, tuple[str, ...]] = {
    "events": ("event_id",),
    "customers": ("customer_id", "known_at"),
    "products": ("product_id",),
    "rejected": ("rejected_id",),
    "scores": (),
    "plans": (),
}
TABLES = tuple(_KEYS)
_CONTRACTS = {table.name: table for table in (EVENTS, CUSTOMERS, PRODUCTS)}
_WAYS_IN = {"scores": "onje rescore", "plans": "onje rescore"}
_ATTEMPTS = 5
# A receipt names the versions it was made from. By itself Delta forgets those that are older than
# 30 days, as soon as it has written a checkpoint (every 100 commits).
_KEPT = {"delta.enableExpiredLogCleanup": "false"}
# Delta paints the arrows in its messages.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

_T = TypeVar("_T")


@dataclass(frozen=True)
class Merged:
    """How many rows were new, and how many the lake knew already."""

    inserted: int
    known_already: int


@dataclass(frozen=True)
class Lake:
    """The tables under one root: a folder, or the URL of an object store."""

    root: Path | str

    def append(self, table: str, frame: pl.DataFrame) -> Merged:
        """Add rows; where the table has keys, a row that is there already is not added again.

        A known event keeps its earliest `known_at`; a known customer row or product is replaced
        by what is said of it now. The commit is whole or nothing.
        """
        given = _resting(table, frame)
        return self._commit(table, lambda: self._write(table, given, given_rows=frame.height))

    def merge_events(self, events: pl.DataFrame) -> Merged:
        """Add events, each once, whether it comes twice in `events` or was there before."""
        return self.append("events", events)

    def replace(self, table: str, frame: pl.DataFrame) -> None:
        """The whole table anew, in one commit; older versions stay readable."""
        given = _resting(table, frame)

        def overwrite() -> None:
            write_deltalake(
                self._at(table),
                given,
                mode="overwrite",
                schema_mode="overwrite",
                partition_by=_partitions(given),
                configuration=_KEPT,
            )

        self._commit(table, overwrite)

    def tidy(self, table: str) -> None:
        """Put many small files together, which many small commits leave; no row changes.

        Older versions stay readable, for their files are kept, and so is the log of a table that
        was made before Onje asked for that.
        """

        def compact() -> None:
            opened = self._open(table, None)
            if not _KEPT.items() <= opened.metadata().configuration.items():
                opened.alter.set_table_properties(_KEPT)
            opened.optimize.compact()

        self._commit(table, compact)

    def reject(self, table: str, rejected: pl.DataFrame) -> Merged:
        """Keep the rejected half of a `Split`: each row as JSON, with its reason."""
        if rejected.is_empty():
            return Merged(0, 0)
        known_at = (
            pl.col("known_at").cast(pl.Datetime("us", "UTC"), strict=False)
            if isinstance(rejected.schema.get("known_at"), pl.Datetime)
            else pl.lit(None, pl.Datetime("us", "UTC"))
        )
        rows = rejected.select(
            pl.lit(table).alias("of_table"),
            "reason",
            known_at.alias("known_at"),
            pl.struct(pl.exclude("reason")).struct.json_encode().alias("row"),
        )
        rejected_id = content_id(rows, ["of_table", "reason", "row"]).alias("rejected_id")
        return self.append("rejected", rows.with_columns(rejected_id).unique("rejected_id"))

    def scan(
        self,
        table: str,
        *,
        version: int | None = None,
        customers: Iterable[str] | None = None,
        buckets: Iterable[int] | None = None,
    ) -> pl.LazyFrame:
        """The table as it is, or was at `version`; whole, or some customers' or buckets' rows."""
        rows = pl.scan_delta(self._open(table, version))
        if customers is not None:
            wanted = list(customers)
            rows = rows.filter(
                pl.col("bucket").is_in(sorted({bucket_of(customer) for customer in wanted})),
                pl.col("customer_id").is_in(wanted),
            )
        if buckets is not None:
            rows = rows.filter(pl.col("bucket").is_in(list(buckets)))
        contract = _CONTRACTS.get(table)
        if contract is None:
            return rows.drop("bucket", strict=False)
        # The lake knows no Enum: kind and channel rest as text.
        return rows.select(
            pl.col(name).cast(column.dtype) for name, column in contract.schema.columns().items()
        )

    def read(
        self,
        table: str,
        *,
        version: int | None = None,
        customers: Iterable[str] | None = None,
        buckets: Iterable[int] | None = None,
        columns: list[str] | None = None,
    ) -> pl.DataFrame:
        """`scan`, read; in no particular order of rows."""
        rows = self.scan(table, version=version, customers=customers, buckets=buckets)
        return (rows if columns is None else rows.select(columns)).collect()

    def exists(self, table: str) -> bool:
        return DeltaTable.is_deltatable(self._at(table))

    def versions(self) -> dict[str, int]:
        """The version of each table there is: together, the version of the lake."""
        return {t: DeltaTable(self._at(t)).version() for t in TABLES if self.exists(t)}

    def is_synthetic(self) -> bool:
        """Whether it holds events of a simulated world; one is enough to doubt all that follows.

        A fact of the rows, not of a file beside them: wherever the lake is copied, it says so.
        """
        if not self.exists("events"):
            return False
        # Its statistics rule most files out unread, and the first event found ends the search.
        simulated = self.scan("events").filter(pl.col("source") == SIMULATED)
        return not simulated.select("event_id").head(1).collect().is_empty()

    def _at(self, table: str) -> str:
        if table not in _KEYS:
            raise OnjeError(f"the lake has no table {table!r}; it has {', '.join(TABLES)}")
        return f"{self.root}/{table}"

    def _open(self, table: str, version: int | None) -> DeltaTable:
        try:
            newest = DeltaTable(self._at(table))
        except TableNotFoundError:
            way_in = _WAYS_IN.get(table, "onje ingest --help")
            raise NotReadyError(
                f"there are no {table} in the lake at {self.root}; type `{way_in}`"
            ) from None
        if version is None or version == newest.version():
            return newest
        try:
            return DeltaTable(self._at(table), version=version)
        except DeltaError as error:
            raise NotReadyError(
                f"version {version} of {table} is not in the lake at {self.root}; "
                f"the newest is {newest.version()}"
            ) from error

    def _commit(self, table: str, write: Callable[[], _T]) -> _T:
        """Write as the only writer of this machine; start afresh where another one was faster.

        NotReadyError where the disk or the store does not take it.
        """
        try:
            with self._lock(table):
                for _ in range(_ATTEMPTS - 1):
                    try:
                        return write()
                    except CommitFailedError:
                        continue
                return write()
        except (SchemaMismatchError, DeltaProtocolError):
            raise  # a fault of ours, which no space on the disk mends
        except (DeltaError, OSError) as fault:
            raise self._unwritten(table, fault) from fault
        except pl.exceptions.ComputeError as fault:
            if "os error" not in str(fault):
                raise
            raise self._unwritten(table, fault) from fault

    def _unwritten(self, table: str, fault: Exception) -> NotReadyError:
        plain = " ".join(_COLOURS.sub("", str(fault)).split())
        return NotReadyError(
            f"{table} could not be written to the lake at {self.root}: {plain}; "
            "free space there or let it be written to, or set ONJE_HOME to a folder elsewhere, "
            "then run again: nothing half-written is read"
        )

    def _lock(self, table: str) -> AbstractContextManager[object]:
        at = self._at(table)
        if not _is_local(at):
            return nullcontext()
        Path(self.root).mkdir(parents=True, exist_ok=True)
        return FileLock(f"{at}.lock")

    def _write(self, table: str, given: pl.DataFrame, *, given_rows: int) -> Merged:
        """One attempt, from a fresh look at the table."""
        at, keys = self._at(table), _KEYS[table]
        if not keys or not self.exists(table):
            write_deltalake(
                at, given, mode="append", partition_by=_partitions(given), configuration=_KEPT
            )
            return Merged(given.height, given_rows - given.height)
        changes, held = self._changes(table, given)
        if changes.is_empty():
            return Merged(0, given_rows)
        if not held and _is_local(at):
            # Nobody else writes while we hold the lock, so what is not there now is new: adding
            # it takes about a quarter of the time of a merge.
            write_deltalake(at, changes, mode="append", partition_by=_partitions(changes))
            return Merged(changes.height, given_rows - changes.height)
        same = [f"s.{key} = t.{key}" for key in keys]
        if "bucket" in given.columns:
            # Concurrent merges only pass each other when each names its buckets as literals.
            touched = ", ".join(str(b) for b in sorted(changes.get_column("bucket").unique()))
            same += ["s.bucket = t.bucket", f"t.bucket in ({touched})"]
        done = (
            DeltaTable(at)
            .merge(changes, " AND ".join(same), source_alias="s", target_alias="t")
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .execute()
        )
        inserted = int(done["num_target_rows_inserted"])
        return Merged(inserted, given_rows - inserted)

    def _changes(self, table: str, given: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
        """The rows that the table does not hold yet, so that the same twice commits nothing.

        And whether it may hold other rows of the same keys, which these replace.
        """
        keys = list(_KEYS[table])
        held = pl.scan_delta(self._at(table))
        if "bucket" in given.columns:
            touched = given.get_column("bucket").unique().to_list()
            held = held.filter(pl.col("bucket").is_in(touched))
        if table == "events":
            known = held.select("event_id", held_known_at="known_at").collect()
            earlier = given.join(known, on="event_id", how="left", maintain_order="left").filter(
                pl.col("held_known_at").is_null() | (pl.col("known_at") < pl.col("held_known_at"))
            )
            replaces = earlier.get_column("held_known_at").is_not_null().any()
            return earlier.drop("held_known_at"), replaces
        columns = given.columns
        changes = given.join(
            held.select(columns).collect(),
            on=keys if table == "rejected" else columns,
            how="anti",
            nulls_equal=True,
            maintain_order="left",
        )
        return changes, True


def _resting(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows as they rest: by the contract, each key once, text for Enum, with the bucket."""
    contract = _CONTRACTS.get(table)
    rows = frame if contract is None else contract.shape(frame)
    if table == "events":
        rows = unique_events(rows)
    elif keys := _KEYS.get(table):
        rows = rows.unique(keys, keep="last", maintain_order=True)
    rows = rows.with_columns(pl.selectors.enum().cast(pl.String))
    return with_bucket(rows) if "customer_id" in rows.columns else rows


def _is_local(at: str) -> bool:
    return "://" not in at


def _partitions(rows: pl.DataFrame) -> list[str] | None:
    return ["bucket"] if "bucket" in rows.columns else None
