"""Go back to the champion before this one."""

from __future__ import annotations

from typing import Annotated

import typer


def rollback(
    model: Annotated[str, typer.Argument(help="churn, send-hour, affinity-category, ...")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Go back to the champion before this one.

    A running service takes it up within seconds; can be repeated, champion by champion.

    Example:

      onje rollback churn
    """
    from pipelines.console import show
    from pipelines.installation import opened
    from pipelines.models import known_model
    from training.registry import Registry

    known_model(model)
    with opened() as onje:
        version = Registry(onje.places.home, onje.places.tracking_uri).rollback(model)
    show({"model": model, "champion": version}, as_json=as_json, title="Rolled back")


def add_to(app: typer.Typer) -> None:
    app.command("rollback")(rollback)
