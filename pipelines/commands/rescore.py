"""Decide for every customer and write plans and scores."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from pipelines.moments import moment


def rescore(
    out: Annotated[
        Path | None, typer.Option(help="Where runs go; $ONJE_HOME/rescored, if not given.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            parser=moment,
            metavar="MOMENT",
            help="Decide as of this moment (UTC); now, if not given.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Decide for every customer and write plans and scores.

    OUT/<run id>/{decisions,scores}.parquet appears whole, then OUT/latest points to it. Plans
    reserve nothing; a live decision for a customer takes their plan's place. What is
    asked live stands on the prices and shares of the newest night. A moment before that night
    writes its folder to look at, and changes nothing else: no plan, no price, not OUT/latest.

    Examples:

      onje rescore

      onje rescore --as-of 2017-12-01T06:00:00 --out /data/onje
    """
    from dataclasses import asdict

    from pipelines.console import progress, show
    from pipelines.erasing import sweep
    from pipelines.installation import opened
    from pipelines.rescore import ONJE
    from pipelines.rescore import rescore as run
    from serving.models import ModelShelf
    from serving.valuation import OWN

    with opened() as onje, progress(quiet=as_json) as step:
        now = onje.now()
        if as_of is not None and as_of > now:
            raise typer.BadParameter(
                f"--as-of {as_of:%Y-%m-%dT%H:%M} lies ahead of now, which is {now:%Y-%m-%dT%H:%M} "
                "UTC by the settings; nothing is known of then. Leave --as-of out to decide now"
            )
        folders = [onje.places.home, *([out] if out else [])]
        sweep(onje.store, folders, at=now, step=step)
        models = ModelShelf(onje.places.home)
        models.refresh(onje.settings.features)
        done = run(
            onje.lake,
            onje.store,
            models.current,
            as_of=as_of or now,
            out=(out or onje.places.home / "rescored").resolve(),
            settings=onje.settings,
            policy=ONJE,
            valuation=OWN,
            step=step,
        )
    show(asdict(done), as_json=as_json, title="Decided for everybody")
    if not done.in_force:
        typer.echo(
            f"a later night is in force, so this one changes nothing; look at it in {done.folder}",
            err=True,
        )


def add_to(app: typer.Typer) -> None:
    app.command("rescore")(rescore)
