"""Train models on the lake and record them as challengers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from pipelines.moments import moment


class Name(StrEnum):
    churn = "churn"
    send_hour = "send-hour"
    affinity = "affinity"
    all = "all"


def train(
    name: Annotated[Name, typer.Argument(help="Which model.")],
    promote: Annotated[
        bool, typer.Option("--promote", help="Make it champion at once, if the gate lets it pass.")
    ] = False,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            parser=moment,
            metavar="MOMENT",
            help="Train as if this were now (UTC); else everything known counts.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Train models on the lake and record them as challengers.

    Each run is kept in MLflow with settings, lake version, metrics, intervals, baseline and plots.

    Examples:

      onje train all --promote

      onje train churn --as-of 2017-10-01
    """
    from datetime import UTC

    from pipelines.console import progress, show_rows
    from pipelines.installation import opened
    from pipelines.models import TRAINERS
    from pipelines.retrain import retrain, row_of
    from training.registry import Registry

    with opened() as onje, progress(quiet=as_json) as step:
        done = retrain(
            list(TRAINERS) if name is Name.all else [name],
            onje.lake,
            Registry(onje.places.home, onje.places.tracking_uri),
            known_until=as_of or onje.now(),
            trained_at=datetime.now(UTC),
            promote=promote,
            settings=onje.settings,
            step=step,
        )
    rows = [row_of(one) for one in done]
    show_rows(rows, as_json=as_json, title="New versions: log-loss, lower is better")


def add_to(app: typer.Typer) -> None:
    app.command("train")(train)
