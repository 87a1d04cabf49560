"""Anybody's file into events, customers and products, by a mapping; each row is accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl

from features.errors import DataError
from features.once import content_id, settle_clock, unique_events
from features.tables import CUSTOMERS, EVENTS, PRODUCTS, Split
from pipelines.ingest.derived import consent_in, customers_in, products_in
from pipelines.ingest.ingested import ROW, Ingested, Intake
from pipelines.ingest.mapping import Condition, Mapping, Part, Time, Value
from pipelines.ingest.reading import column_text
from pipelines.ingest.rows import is_csv, rows_of
from pipelines.ingest.sayings import FAULT, event_columns, facts, fault
from pipelines.ingest.suggest import did_you_mean

NUMBER_AMONG_EQUALS = "number among equals"


def read_table(file: Path, mapping: Mapping, *, now: datetime) -> Ingested:
    """What `mapping` makes of `file`.

    A row is set aside by a rule, else because it cannot be read, else as a duplicate, else by the
    contract: the first that applies is what the account says of it.
    """
    rows = rows_of(file, mapping.csv)
    _check_columns(file, rows.columns, mapping)
    decimal = mapping.csv.decimal if is_csv(file) else "."
    said = rows.select(
        pl.int_range(1, pl.len() + 1, dtype=pl.UInt32).alias(ROW),
        fault(mapping, rows.columns, decimal=decimal).alias(FAULT),
        _event_ids(rows, mapping),
        **event_columns(mapping, decimal=decimal, now=now),
        **facts(mapping, decimal=decimal),
    )
    sound = said.filter(pl.col(FAULT).is_null())
    unique = unique_events(sound)
    split = EVENTS.split(settle_clock(unique.select(EVENTS.columns)))
    faults = said.filter(pl.col(FAULT).is_not_null()).select(ROW, reason=FAULT)
    broken = split.rejected.join(unique.select(ROW, "event_id"), on="event_id")
    reasons = pl.concat([faults, broken.select(ROW, "reason")])
    accepted = split.accepted.join(
        unique.select("event_id", *facts(mapping, decimal=decimal)),
        on="event_id",
        maintain_order="left",
    )
    consent, customers = consent_in(accepted, mapping), customers_in(accepted)
    products = products_in(accepted, mapping)
    return Ingested(
        intakes=(
            Intake(
                name=file.name,
                rows=rows.height,
                table=EVENTS,
                split=Split(split.accepted, _as_in_file(rows, reasons)),
                duplicates=sound.height - unique.height,
            ),
            Intake.of("consent in it", EVENTS, consent, rows=consent.height),
            Intake.of("customers in it", CUSTOMERS, customers, rows=customers.height),
            Intake.of("products in it", PRODUCTS, products, rows=products.height),
        ),
        assumptions=_assumptions(mapping),
    )


def _check_columns(file: Path, columns: list[str], mapping: Mapping) -> None:
    listed = (*mapping.event.keep, *(mapping.event.event_id or ()))
    absent = sorted({*_columns_named(mapping), *listed} - set(columns))
    if absent:
        lines = [f"  no column {name!r}{did_you_mean(name, columns)}" for name in absent]
        fits_not = f"the mapping names columns that {file} does not have:"
        raise DataError("\n".join([fits_not, *lines, f"it has: {', '.join(columns)}"]))


def _columns_named(part: Part) -> Iterator[str]:
    """The columns that the mapping names, in whatever table of it."""
    match part:
        case Value(column=str(column)) | Condition(column=column):
            yield column
        case Time(at=at, known_at_column=known_at_column):
            yield from (name for name in (at, known_at_column) if name is not None)
    for _, inner in part:
        for one in inner if isinstance(inner, tuple) else (inner,):
            if isinstance(one, Part):
                yield from _columns_named(one)


def _event_ids(rows: pl.DataFrame, mapping: Mapping) -> pl.Series:
    """The producer's id where the mapping names one, else a hash of all that the row says.

    Not of what the mapping makes of the row: who mends a mapping and ingests again has the same
    events, not each of them twice.
    """
    if mapping.event.event_id is not None:
        parts = [column_text(name) for name in mapping.event.event_id]
        own = rows.select(event_id=pl.concat_str(*parts, separator=":")).to_series()
    else:
        columns = rows.columns
        if mapping.duplicates.exact == "keep":
            # Equal lines that are two events are told apart by their number among their equals.
            number = pl.int_range(pl.len()).over(columns).alias(NUMBER_AMONG_EQUALS)
            rows = rows.with_columns(number)
        own = content_id(rows, rows.columns)
    return (f"{mapping.source}:" + own).alias("event_id")


def _as_in_file(rows: pl.DataFrame, reasons: pl.DataFrame) -> pl.DataFrame:
    """The rows as the file has them, with their number in it and the reason they are not in."""
    return (
        rows.rename({"reason": "given_reason"}, strict=False)
        .with_row_index(ROW, offset=1)
        .join(reasons, on=ROW, maintain_order="left")
    )


def _assumptions(mapping: Mapping) -> tuple[str, ...]:
    consent = {
        "unknown": "Consent: the file does not say; nobody is mailed until another source does.",
        "rows": "Consent: the file's own rows of kind consent.",
        "column": "Consent: what the customer chose in each row.",
        "assumed": f"Consent: taken as {mapping.consent.reason} for every customer in the file "
        f"(source={mapping.consent.source}).",
    }[mapping.consent.how]
    if mapping.products is None:
        return (consent,)
    availability = mapping.products.availability
    stock = {
        "all": "Stock: the file does not say; every product in it counts as available.",
        "sold_lately": f"Stock: the file does not say; what was sold in its last "
        f"{availability.days} days counts as available.",
        "column": "Stock: as the newest row of each product says.",
    }[availability.how]
    return (consent, stock)
