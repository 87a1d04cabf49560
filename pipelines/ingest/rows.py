"""The rows of a CSV or Parquet file as text, or an explanation of what is wrong with the file."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from features.errors import DataError
from pipelines.ingest.mapping import Csv

CSV_ENDINGS = (".csv", ".tsv", ".txt")
PARQUET_ENDINGS = (".parquet", ".pq")
UTF_16_BEGINS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
OTHER_SEPARATORS = (",", ";", "\t", "|")


def is_csv(file: Path) -> bool:
    """Whether the file's name says CSV."""
    return file.suffix.lower() in CSV_ENDINGS


def rows_of(file: Path, form: Csv) -> pl.DataFrame:
    """Every row of `file`, in its order, all columns String, so that CSV and Parquet go one road.

    Times with a zone become UTC, whole floats lose their ".0": an id that once met pandas
    ("17850.0") is the id it was.
    """
    if not file.is_file():
        raise DataError(f"there is no file {file}; give the path of a CSV or Parquet file")
    ending = file.suffix.lower()
    if ending in PARQUET_ENDINGS:
        rows = _as_text(_read_parquet(file))
    elif is_csv(file):
        rows = _read_csv(file, form)
    else:
        known = ", ".join(CSV_ENDINGS + PARQUET_ENDINGS)
        raise DataError(f"cannot tell what {file} is by its name; known endings: {known}")
    if rows.is_empty():
        raise DataError(f"{file} has no rows; was the export cut short?")
    return rows


def _read_parquet(file: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as fault:
        raise DataError(f"{file} is not a readable Parquet file: {_first_line(fault)}") from fault


def _as_text(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(_column_as_text(frame.get_column(name)) for name in frame.columns)


def _column_as_text(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if dtype.is_nested() or dtype == pl.Object:
        raise DataError(
            f"column {column.name} holds {dtype}, not plain values; "
            "write its parts into columns of their own"
        )
    if isinstance(dtype, pl.Datetime):
        moments = column.cast(pl.Datetime("us", dtype.time_zone))
        if dtype.time_zone is None:
            return moments.dt.to_string("%Y-%m-%d %H:%M:%S%.6f")
        return moments.dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%d %H:%M:%S%.6fZ")
    if dtype.is_float():
        whole = column.cast(pl.Int64, strict=False)
        if (whole.cast(pl.Float64) == column.cast(pl.Float64)).all():
            return whole.cast(pl.String)
    return column.cast(pl.String)


def _read_csv(file: Path, form: Csv) -> pl.DataFrame:
    records = _checked_records(file, form)
    try:
        rows = pl.read_csv(
            file,
            separator=form.separator,
            encoding="utf8" if form.encoding == "utf-8" else form.encoding,
            infer_schema=False,
        )
    except (pl.exceptions.PolarsError, OSError) as fault:
        raise DataError(f"{file} is not readable as CSV: {_first_line(fault)}") from fault
    if rows.height != records:
        raise DataError(
            f"{file} has {records} rows by its quotes and {rows.height} by its lines; "
            'write quotes inside a value twice (""), and nothing outside the quotes'
        )
    return rows


def _checked_records(file: Path, form: Csv) -> int:
    """The number of records under the header, after a look at each of them.

    Polars fills a short line with nulls and names no line when it fails; whoever has to mend the
    file needs the line.
    """
    reader = csv.reader(_decoded_lines(file, form), delimiter=form.separator, strict=True)
    begins = 1
    records = 0
    header: list[str] | None = None
    try:
        for fields in reader:
            if header is None:
                header = fields
                _check_header(file, fields, form)
            elif fields and len(fields) != len(header):
                raise DataError(
                    f"{file}, line {begins}: found {len(fields)} fields, but the header names "
                    f"{len(header)}; a value that holds {form.separator!r} needs quotes around "
                    "it, and a short last line means that the export was cut short"
                )
            else:
                records += 1
            begins = reader.line_num + 1
    except csv.Error as fault:
        advice = _advice(str(fault), of_one_line=reader.line_num == begins)
        raise DataError(f"{file}, line {begins}: {fault}; {advice}") from fault
    if header is None:
        raise DataError(f"{file} is empty; was the export cut short?")
    return records


def _advice(fault: str, *, of_one_line: bool) -> str:
    """What to do about a csv.Error; the module words it for programmers."""
    unclosed = (
        "a quote that opens here is not closed as it should be, "
        'write quotes inside a value twice ("")'
    )
    too_long = f"a cell here is longer than {csv.field_size_limit():,} characters, shorten it"
    if "field limit" in fault:
        # An unclosed quote swallows line after line until the cell is too long, too.
        return too_long if of_one_line else f"{too_long}, or {unclosed}"
    if "new-line character" in fault:
        return (
            "a carriage return (CR) stands here without a line feed (LF): save the file with the "
            "line ends of Windows (CR LF) or Unix (LF), and quote a value that holds one"
        )
    return unclosed


def _check_header(file: Path, header: list[str], form: Csv) -> None:
    if len(header) == 1:
        for separator in OTHER_SEPARATORS:
            if separator != form.separator and separator in header[0]:
                raise DataError(
                    f"{file}: the header is one column when split at {form.separator!r}; it looks "
                    f"separated by {separator!r}: add to the mapping file\n"
                    f'  [csv]\n  separator = "{separator}"'.replace("\t", "\\t")
                )
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise DataError(f"{file}: the header names {', '.join(doubled)} twice; rename one of each")


def _decoded_lines(file: Path, form: Csv) -> Iterator[str]:
    try:
        "".encode(form.encoding)
    except LookupError:
        raise DataError(
            f"the mapping file's csv.encoding is {form.encoding!r}, which nobody knows; "
            'usual are "utf-8" and "windows-1252"'
        ) from None
    with file.open("rb") as lines:
        if lines.read(2) in UTF_16_BEGINS:
            raise DataError(
                f"{file} is UTF-16, as some programs write what they call Unicode; save it as "
                'UTF-8 (in a spreadsheet: "CSV UTF-8")'
            )
        lines.seek(0)
        for number, line in enumerate(lines, start=1):
            try:
                yield line.decode(form.encoding)
            except UnicodeDecodeError as fault:
                raise DataError(
                    f"{file}, line {number}: byte 0x{line[fault.start]:02x} at place "
                    f"{fault.start + 1} is not {form.encoding}; save the file as UTF-8, or name "
                    'its encoding in the mapping file, e.g. [csv] encoding = "windows-1252"'
                ) from fault


def _first_line(fault: Exception) -> str:
    return str(fault).strip().split("\n", 1)[0]
