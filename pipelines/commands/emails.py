"""Show the catalogue of e-mails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # what a command needs is loaded when it runs
    from serving.settings import EmailSettings


def emails(
    trigger: Annotated[
        str | None, typer.Option("--trigger", help="Only e-mails of this trigger.")
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option("--stage", help="Only e-mails for customers in this stage of the journey."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON list with every setting of each.")
    ] = False,
) -> None:
    """Show the catalogue of e-mails: what makes each apply, for whom, when it goes, what it gives.

    In the order of onje.toml, in which the first one wins a tie.

    Examples:

      onje emails

      onje emails --stage consider

      onje emails --trigger win_back --json
    """
    import json

    from pipelines.installation import settings_in_force
    from serving.catalogue_docs import told
    from serving.triggers import TRIGGERS

    serving = settings_in_force().serving
    _check("trigger", trigger, list(TRIGGERS))
    _check("stage", stage, list(serving.tones.model_dump()))
    chosen = {
        name: email
        for name, email in serving.emails.items()
        if trigger in (None, email.trigger)
        and (not stage or not email.stages or stage in email.stages)
    }
    if as_json:
        print(json.dumps([told(name, email) for name, email in chosen.items()]))
        return
    _print(chosen)


def _check(what: str, name: str | None, known: list[str]) -> None:
    from features.nearest import nearest_of

    if name is None or name in known:
        return
    hint = nearest_of(name, known)
    raise typer.BadParameter(f"no {what} is called {name}; {hint}", param_hint=f"--{what}")


def _print(chosen: Mapping[str, EmailSettings]) -> None:
    from rich.console import Console
    from rich.table import Table

    from serving.catalogue_docs import goes, meant_for
    from serving.triggers import TRIGGERS

    table = Table(title=f"{len(chosen)} e-mails", title_justify="left")
    table.add_column("e-mail", no_wrap=True)
    for heading in ("it goes because", "for", "goes", "gives"):
        table.add_column(heading)
    for name, email in chosen.items():
        gives = [f"{100 * email.discount:g} %"] if email.discount else []
        gives += [email.coupon] if email.coupon else []
        table.add_row(
            name if email.enabled else f"{name} (off)",
            TRIGGERS[email.trigger].meaning,
            meant_for(email).replace("`", ""),
            goes(email),
            ", ".join(gives) or "–",
        )
    Console().print(table)


def add_to(app: typer.Typer) -> None:
    app.command("emails")(emails)
