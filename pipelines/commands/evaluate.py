"""Show champions and challengers against their baselines."""

from __future__ import annotations

from typing import Annotated

import typer


def evaluate(
    model: Annotated[
        str | None, typer.Argument(help="churn, send-hour, ...; all of them, if not given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Show champions and challengers against their baselines.

    One line per recorded version: what it is now, its metrics on later data than it was trained
    on, the trivial baseline's, the gain with its interval, and what the gate said.

    Examples:

      onje evaluate

      onje evaluate churn --json
    """
    from features.errors import NotReadyError
    from pipelines.models import MODELS, known_model

    # Before the heavy imports: a wrong name is told at once.
    names = [known_model(model)] if model else MODELS

    from pipelines.console import show_rows
    from pipelines.installation import opened
    from pipelines.retrain import with_interval
    from training.registry import Registry

    with opened() as onje:
        registry = Registry(onje.places.home, onje.places.tracking_uri)
        rows = [
            {
                "model": one.name,
                "version": one.version,
                "is": ", ".join(one.aliases) or "recorded",
                "recorded_at": one.recorded_at.isoformat(timespec="seconds"),
                "log_loss": with_interval(one.metrics, "model/log_loss"),
                "baseline": one.baseline,
                "its_log_loss": with_interval(one.metrics, f"{one.baseline}/log_loss"),
                "gain": with_interval(one.metrics, "gain"),
                "gate": one.gate,
            }
            for name in names
            for one in registry.versions(name)
        ]
    if not rows:
        raise NotReadyError(f"no version of {model or 'any model'} yet; type `onje train all`")
    show_rows(rows, as_json=as_json, title="Recorded models")


def add_to(app: typer.Typer) -> None:
    app.command("evaluate")(evaluate)
