"""Move events that came in online from the store to the lake."""

from __future__ import annotations

import typer


def compact(as_json: bool = typer.Option(False, "--json", help="Print one JSON line.")) -> None:
    """Move events that came in online from the store to the lake.

    Then whoever was erased leaves the lake, see `onje erase`. Safe to run at any time and to kill
    at any point; running it twice changes nothing.

    Example:

      onje compact && onje publish
    """
    from dataclasses import asdict

    from pipelines.compact import compact as run
    from pipelines.console import progress, show
    from pipelines.erasing import has_waiting, sweep
    from pipelines.installation import opened

    with opened() as onje, progress(quiet=as_json) as step:
        done = run(onje.store, onje.lake, step=step)
        if has_waiting(onje.store):
            sweep(onje.store, [onje.places.home], at=onje.now(), step=step)
    show(asdict(done), as_json=as_json, title="Moved to the lake")


def add_to(app: typer.Typer) -> None:
    app.command("compact")(compact)
