"""Make a challenger the champion, if the gate lets it pass."""

from __future__ import annotations

from typing import Annotated

import typer


def promote(
    model: Annotated[str, typer.Argument(help="churn, send-hour, affinity-category, ...")],
    version: Annotated[
        str | None, typer.Option(help="Which version; the challenger, if not given.")
    ] = None,
    force: Annotated[
        str | None, typer.Option(help="Promote against the gate, for this reason, which is kept.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Make a challenger the champion, if the gate lets it pass.

    The gate wants a paired, customer-clustered interval of the gain above zero, over the champion
    and over the trivial baseline. Ends in exit code 3 when it refuses.

    Examples:

      onje promote churn

      onje promote churn --version 3 --force "the old one knows nothing of the new shop"
    """
    from pipelines.console import show
    from pipelines.installation import opened
    from pipelines.models import known_model
    from training.registry import Registry

    known_model(model)
    with opened() as onje:
        registry = Registry(onje.places.home, onje.places.tracking_uri)
        verdict = registry.promote(
            model,
            version=version,
            force_reason=force,
            settings=onje.settings.training.resampling,
        )
    told = {"model": model, "promoted": verdict.promote, "reasons": list(verdict.reasons)}
    show(told, as_json=as_json, title="The gate's verdict")
    if not verdict.promote:
        raise typer.Exit(3)


def add_to(app: typer.Typer) -> None:
    app.command("promote")(promote)
