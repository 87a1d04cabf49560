"""Let go of what is kept for long enough."""

from __future__ import annotations

import typer


def tidy(
    dry_run: bool = typer.Option(False, "--dry-run", help="Only count what would go."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON line."),
) -> None:
    """Let go of what the store has kept for long enough; [retention] of onje.toml says how long.

    Decisions go with their receipts: they can be looked up and replayed no more. Settings, events,
    the lake and models stay. Run it at night, after onje rescore; it may be killed at any point.

    Examples:

      onje tidy --dry-run

      onje tidy
    """
    from dataclasses import asdict

    from pipelines.console import progress, show
    from pipelines.installation import looked_at
    from pipelines.retention import tidy as run

    with looked_at() as onje, progress(quiet=as_json) as step:
        done = run(onje.store, onje.settings.retention, now=onje.now(), dry_run=dry_run, step=step)
    title = "Would go from the store" if dry_run else "Gone from the store"
    show(asdict(done), as_json=as_json, title=title)


def add_to(app: typer.Typer) -> None:
    app.command("tidy")(tidy)
