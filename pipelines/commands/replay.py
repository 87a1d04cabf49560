"""Decide again what was decided, and say what differs."""

from __future__ import annotations

from typing import Annotated

import typer


def replay(
    decision_id: Annotated[
        str, typer.Argument(metavar="DECISION_ID", help="A live decision, or a plan of a night.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Decide again what was decided, and say what differs.

    Reads the receipt, the lake at the versions that it names, the models and the settings of
    then. Whatever became known later plays no part. Ends in 0 where every figure is the same,
    in 1 where one differs.

    Examples:

      onje replay 0b9f6d1e-6a55-4f0e-9a43-6d8f2f6b1c11

      onje replay 0b9f6d1e-6a55-4f0e-9a43-6d8f2f6b1c11 --json
    """
    import json
    from dataclasses import asdict

    from pipelines.console import progress
    from pipelines.effective import effective, read_settings
    from pipelines.installation import looked_at
    from pipelines.replay import replay as again
    from pipelines.replay import said
    from training.registry import Registry

    with looked_at() as onje, progress(quiet=as_json) as step:
        done = again(
            decision_id,
            store=onje.store,
            lake=onje.lake,
            home=onje.places.home,
            fetch=Registry(onje.places.home, onje.places.tracking_uri).fetch,
            today=effective(onje.settings),
            lay=lambda patches: read_settings(onje.places.settings_file, patches),
            step=step,
        )
    print(json.dumps(asdict(done)) if as_json else said(done))
    if not done.equal:
        raise typer.Exit(1)


def add_to(app: typer.Typer) -> None:
    app.command("replay")(replay)
