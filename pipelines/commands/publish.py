"""Load recent histories from the lake into the store."""

from __future__ import annotations

import typer


def publish(as_json: bool = typer.Option(False, "--json", help="Print one JSON line.")) -> None:
    """Load recent histories from the lake into the store.

    The service decides by what was published last, and by every event it was told since.

    Example:

      onje publish
    """
    from dataclasses import asdict

    from pipelines.console import progress, show
    from pipelines.installation import opened
    from pipelines.publish import publish as run

    with opened() as onje, progress(quiet=as_json) as step:
        done = run(onje.lake, onje.store, at=onje.now(), settings=onje.settings.features, step=step)
    show(asdict(done), as_json=as_json, title="Published to the store")


def add_to(app: typer.Typer) -> None:
    app.command("publish")(publish)
