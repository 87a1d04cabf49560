"""Bring an installation back from a backup."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def restore(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="The folder or .tar file of onje backup.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Put aside what is there, under a name with the time.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Bring an installation back from a backup, into ONJE_HOME and the database of the store.

    Stop the service first. Every file is compared with its SHA-256 before anything is written.
    The database may be of another kind than the one the backup was made of: so a store moves from
    SQLite to PostgreSQL and back. Who was erased since the backup was made is in it again: erase
    them again.

    Examples:

      onje restore /backups/onje-2026-11-24.tar

      ONJE_STORE_URL=postgresql://onje@db/onje onje restore /backups/onje --replace
    """
    import os
    from datetime import UTC, datetime

    from pipelines.console import progress, show
    from pipelines.places import places
    from pipelines.restore import restore as run

    with progress(quiet=as_json) as step:
        at = places(os.environ)
        done = run(source.absolute(), at, replace=replace, now=datetime.now(UTC), step=step)
    show(done, as_json=as_json, title=f"Restored to {at.home}")


def add_to(app: typer.Typer) -> None:
    app.command("restore")(restore)
