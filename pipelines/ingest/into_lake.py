"""From a source into the lake, whole: twice the same changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from features.lake import Lake, Merged
from features.tables import CUSTOMERS, EVENTS, PRODUCTS
from pipelines.carrying import alone
from pipelines.console import Step
from pipelines.ingest import completejourney
from pipelines.ingest.doubts import doubts_of
from pipelines.ingest.ingested import Ingested
from pipelines.ingest.mapping_file import load_mapping
from pipelines.ingest.report import Report
from pipelines.ingest.table import read_table

# What of an ingest may come in; see pipelines.erasing.keep_out.
KeepOut = Callable[[Ingested], Ingested]


def everything(ingested: Ingested) -> Ingested:
    """Where there is no store that knows who was erased."""
    return ingested


def ingest_completejourney(lake: Lake, progress: Step, keep_out: KeepOut = everything) -> Report:
    """The demo's data into the lake."""
    progress("reading Complete Journey", 0, 1)
    ingested = completejourney.read()
    progress("reading Complete Journey", 1, 1)
    with alone(lake.root, progress):
        return store(keep_out(ingested), lake, progress)


def ingest_table(
    lake: Lake,
    file: Path,
    mapping_file: Path,
    now: datetime,
    progress: Step,
    keep_out: KeepOut = everything,
) -> Report:
    """Anybody's file into the lake; DataError where the mapping or the file cannot be used."""
    mapping = load_mapping(mapping_file)
    progress(f"reading {file.name}", 0, 1)
    ingested = read_table(file, mapping, now=now)
    progress(f"reading {file.name}", 1, 1)
    with alone(lake.root, progress):
        return store(keep_out(ingested), lake, progress)


def store(ingested: Ingested, lake: Lake, progress: Step) -> Report:
    """Each table in one commit, events last.

    Who is killed in between leaves whole tables; whoever finds events finds their products and
    customers, too. The next run adds what is missing.
    """
    doing = "writing to the lake"
    progress(doing, 0, 4)
    stored = {PRODUCTS.name: lake.append(PRODUCTS.name, ingested.products)}
    progress(doing, 1, 4)
    stored[CUSTOMERS.name] = lake.append(CUSTOMERS.name, ingested.customers)
    progress(doing, 2, 4)
    aside = [lake.reject(one.table.name, one.split.rejected) for one in ingested.intakes]
    stored["rejected"] = Merged(
        sum(merged.inserted for merged in aside), sum(merged.known_already for merged in aside)
    )
    progress(doing, 3, 4)
    stored[EVENTS.name] = lake.merge_events(ingested.events)
    progress(doing, 4, 4)
    doubts = doubts_of(ingested.events, ingested.customers)
    return Report(ingested.accounts, stored, lake.versions(), ingested.assumptions, doubts)
