"""The slow part of an erasure: lake, outputs of nights, files of models, the store's own file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from features.lake import TABLES
from features.lake_erasing import IsGone, erase_rows
from pipelines.carrying import alone
from pipelines.console import Step
from pipelines.ingest.ingested import Ingested, Intake
from serving.store.erased import Erasure, is_gone
from serving.store.naming import texts_of
from serving.store.store import Store
from serving.tables import UTC

# When a row of each table is said to be of: what lies before a new life is of the old one.
WHEN = {"events": "at", "customers": "known_at", "scores": "as_of", "plans": "as_of"}
# Its rows are JSON of what was given, in columns that nobody knows: any of them may be an id.
REJECTED = "rejected"
CUSTOMER = "customer_id"
LAKE = "lake"

Told = Callable[[set[str]], Mapping[str, Erasure]]


@dataclass(frozen=True)
class Swept:
    """How many erasures were carried out, and what went: rows of the lake and of other files.

    A row counts in each file, of whatever version, that held it.
    """

    erasures: int
    lake_rows: int
    file_rows: int
    files: int


def has_waiting(store: Store) -> bool:
    """Whether somebody was erased whom the files may still hold."""
    return any(one.swept_at is None for one in store.erasures())


def sweep(store: Store, folders: Sequence[Path], *, at: datetime, step: Step) -> Swept:
    """Let nothing in these folders, the first of which is HOME, hold anybody who was erased.

    Looks for everybody who ever was, since old data may have come in again by other ways; the ids
    themselves are kept nowhere, so each id that is found is asked about. Whatever was done before
    a kill stays done, and running again does the rest; running twice changes nothing. Whoever
    carries data to the lake waits meanwhile, or is waited for.
    """
    if not store.erasures():
        return Swept(0, 0, 0, 0)
    with alone(folders[0] / LAKE, step):
        return _sweep(store, folders, at=at, step=step)


def _sweep(store: Store, folders: Sequence[Path], *, at: datetime, step: Step) -> Swept:
    waiting = store.erasures()
    store.drop_unparsed(at=at)
    parts: list[str | Path] = [*TABLES, *(file for folder in folders for file in _others(folder))]
    lake_rows = file_rows = files = 0
    for number, part in enumerate(parts):
        step("files without who was erased", number, len(parts) + 1)
        if isinstance(part, str):
            done = erase_rows(folders[0] / LAKE, part, _of_table(part, store.erasures_of))
            lake_rows, files = lake_rows + done.rows, files + done.files
        else:
            rows = _without_erased(part, store.erasures_of)
            file_rows, files = file_rows + rows, files + bool(rows)
    unswept = [one.name for one in waiting if one.swept_at is None]
    if unswept:
        step("files without who was erased", len(parts), len(parts) + 1)
        store.scrub()
        store.note_swept(unswept, at=at)
    step("files without who was erased", len(parts) + 1, len(parts) + 1)
    return Swept(len(unswept), lake_rows, file_rows, files)


def keep_out(store: Store, ingested: Ingested) -> Ingested:
    """What an ingest brings, but for customers who were erased; their rows are only counted.

    Whoever signs up or agrees to e-mail since begins a new life with that, see the store.
    """
    events = store.admit(ingested.events)
    if events.height == ingested.events.height and not store.erasures():
        return ingested
    return replace(ingested, intakes=tuple(_kept_of(one, store) for one in ingested.intakes))


def without_erased(rows: pl.DataFrame, store: Store) -> pl.DataFrame:
    """Rows (customer_id, as_of) of a night, but for erased lives."""
    return rows.filter(~_is_gone(rows.select(CUSTOMER, when="as_of"), store.erasures_of))


def _kept_of(intake: Intake, store: Store) -> Intake:
    accepted = intake.split.accepted
    when = WHEN.get(intake.table.name)
    if when is None:
        return intake
    gone = _is_gone(accepted.select(CUSTOMER, when=when), store.erasures_of)
    split = replace(intake.split, accepted=accepted.filter(~gone))
    return replace(intake, split=split, erased=int(gone.sum()))


def _of_table(table: str, told: Told) -> IsGone:
    """Which rows of a file of this table are of an erased life."""

    def of_rows(rows: pl.LazyFrame) -> pl.Series:
        if table == REJECTED:
            return _mentions(rows.select("row", "known_at").collect(), told)
        if CUSTOMER in rows.collect_schema():
            asked = rows.select(CUSTOMER, when=WHEN[table])
        else:
            asked = rows.select(pl.lit(None, pl.String).alias(CUSTOMER), when=pl.lit(None, UTC))
        return _is_gone(asked.collect(), told)

    return of_rows


def _mentions(rows: pl.DataFrame, told: Told) -> pl.Series:
    """Which rows of JSON name somebody who was erased in any of their values."""
    said = [frozenset(texts_of(json.loads(row))) for row in rows.get_column("row")]
    erasures = told(set().union(*said))
    lives = {one: erasure.again_at for one, erasure in erasures.items()}
    return pl.Series(
        [
            any(lives[one] is None or known_at is None or known_at < lives[one] for one in named)
            for named, known_at in zip(
                (texts & lives.keys() for texts in said), rows.get_column("known_at"), strict=True
            )
        ],
        dtype=pl.Boolean,
    )


def _is_gone(rows: pl.DataFrame, told: Told) -> pl.Series:
    """The same of rows (customer_id, when); of what has no time nobody knows it is newer."""
    ids = set(rows.get_column(CUSTOMER).drop_nulls().unique())
    return is_gone(rows, told(ids), "when")


def _others(home: Path) -> Iterator[Path]:
    """Files beside the lake that name customers: what nights wrote, what models were judged by."""
    for file in sorted(home.rglob("*.parquet")):
        own = file.relative_to(home).parts[0]
        if own != LAKE and not file.is_symlink() and CUSTOMER in pl.read_parquet_schema(file):
            yield file


def _without_erased(file: Path, told: Told) -> int:
    """Write the file without them, whole or not at all; returns how many rows went."""
    rows = pl.scan_parquet(file)
    when = next((name for name in ("as_of", "at") if name in rows.collect_schema()), None)
    moment = pl.col(when) if when else pl.lit(None, UTC)
    gone = _is_gone(rows.select(CUSTOMER, when=moment).collect(), told)
    if gone.any():
        fresh = file.with_name(f".{file.name}.{os.getpid()}")
        rows.collect().filter(~gone).write_parquet(fresh)
        fresh.replace(file)
    return int(gone.sum())
