"""Show the workflows, or where a customer stands in them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.moments import moment

if TYPE_CHECKING:  # what a command needs is loaded when it runs
    from serving.settings import ServingSettings


def workflows(
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="ID", help="Where this customer stands.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            parser=moment, metavar="MOMENT", help="At which moment (UTC); now, if not given."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Show the workflows, or where a customer stands in them: e-mails in steps, as onje.toml says.

    Where somebody stands is derived from what they were sent and did; nothing of it is stored.

    Examples:

      onje workflows

      onje workflows --customer 1001

      onje workflows --customer 1001 --as-of 2017-06-01 --json
    """
    import json

    from pipelines.console import show_rows
    from pipelines.installation import opened

    with opened() as onje:
        if customer is not None:
            from pipelines.standing import standing

            when = as_of or onje.now()
            rows = standing(onje, customer, as_of=when)
            title = f"Customer {customer} as of {when:%Y-%m-%d %H:%M} UTC"
            show_rows(rows, as_json=as_json, title=title)
            return
        serving = onje.settings.serving
    if as_json:
        told = [{"workflow": n, **w.model_dump(mode="json")} for n, w in serving.workflows.items()]
        print(json.dumps(told))
        return
    _print(serving)


def _print(serving: ServingSettings) -> None:
    from rich.console import Console
    from rich.table import Table

    from serving.workflow_docs import ends, goes

    console = Console()
    for name, workflow in serving.workflows.items():
        table = Table(title=f"{name}: {workflow.meaning}", title_justify="left")
        for heading in ("step", "e-mails", "goes", "for"):
            table.add_column(heading)
        for number, step in enumerate(workflow.steps, start=1):
            table.add_row(str(number), " or ".join(step.emails), goes(step), step.when or "anybody")
        console.print(table)
        console.print(ends(workflow) + "\n", highlight=False)


def add_to(app: typer.Typer) -> None:
    app.command("workflows")(workflows)
