"""Write everything that an installation cannot do without to one place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def backup(
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="A new folder, or a new file ending in .tar.")
    ],
    everything: Annotated[
        bool, typer.Option("--with-lake", help="Also the lake, MLflow's runs and nights' outputs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Write store, models, settings and the secret to one place, as of one moment.

    Works while the service runs. Without --with-lake it notes the versions of the lake that it
    goes with. It holds what is known of customers and the root secret: keep it closed.

    Examples:

      onje backup /backups/onje-2026-11-24.tar

      onje backup /backups/onje --with-lake
    """
    from datetime import UTC, datetime

    from pipelines.backup import back_up
    from pipelines.console import progress, show
    from pipelines.installation import looked_at

    with looked_at() as onje, progress(quiet=as_json) as step:
        at = datetime.now(UTC)  # by the real clock, whatever day the settings see
        done = back_up(onje, target.absolute(), everything=everything, at=at, step=step)
    show(done, as_json=as_json, title=f"Backed up to {target}")


def add_to(app: typer.Typer) -> None:
    app.command("backup")(backup)
