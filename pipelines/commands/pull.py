"""Bring the champions that MLflow names to this machine."""

from __future__ import annotations

import typer

from features.errors import DamagedError


def pull(as_json: bool = typer.Option(False, "--json", help="Print one JSON line.")) -> None:
    """Bring the champions that MLflow names to this machine.

    A running service does so by itself every [service] pull_seconds; a model is checked and tried
    before it serves. Where MLflow does not answer, what serves here keeps serving.
    Ends in exit code 13 where a model is damaged.

    Examples:

      onje pull

      MLFLOW_TRACKING_URI=https://mlflow.example onje pull --json
    """
    from dataclasses import asdict

    from pipelines.console import show
    from pipelines.installation import opened
    from pipelines.pull import pull_once

    with opened() as onje:
        pulled = pull_once(onje.places)
    if as_json or pulled.moved or pulled.refused:
        show(asdict(pulled), as_json=as_json, title="Brought here")
    else:
        typer.echo("every champion that MLflow names serves here already")
    if pulled.refused:
        raise typer.Exit(DamagedError.exit_code)


def add_to(app: typer.Typer) -> None:
    app.command("pull")(pull)
