"""Erase customers from store, lake and files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def erase(
    customer_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CUSTOMER_ID]...", help="Whom to erase as well; none is fine."),
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="Another folder with outputs of nights, where --out wrote some."),
    ] = None,
    show_list: Annotated[
        bool, typer.Option("--list", help="Only show who was erased, by keyed hash, and when.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Erase customers from store, lake and files.

    DELETE /v1/customers/{id} empties the store at once; this takes them out of the lake with all
    its versions, the outputs of nights and the store's own file. `onje compact` and `onje rescore`
    do it, too. Safe to kill at any point and to run again. Backups are yours to renew.

    Examples:

      onje erase

      onje erase customer-4711

      onje erase --list
    """
    from dataclasses import asdict

    from pipelines.console import progress, say, show, show_rows
    from pipelines.erasing import sweep
    from pipelines.installation import looked_at
    from serving.exporting import is_known

    with looked_at() as onje:
        now = onje.now()
        if show_list:
            rows = [asdict(one) for one in onje.store.erasures()]
            show_rows(rows, as_json=as_json, title="Erased customers")
            return
        with progress(quiet=as_json) as step:
            strangers = []
            for customer_id in customer_ids or ():
                if not is_known(customer_id, store=onje.store, lake_root=onje.places.lake):
                    strangers.append(customer_id)
                onje.store.erase(customer_id, at=now)
            folders = [onje.places.home, *(also or ())]
            done = sweep(onje.store, folders, at=now, step=step)
    if strangers:
        say(f"nothing was ever told of {', '.join(map(repr, strangers))}; spelled right?")
    show(asdict(done), as_json=as_json, title="Erased")


def add_to(app: typer.Typer) -> None:
    app.command("erase")(erase)
