"""Show the e-mail of a decision as a small block of HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def render(
    decision_id: Annotated[str, typer.Argument(metavar="DECISION_ID", help="A decision to send.")],
    locale: Annotated[
        str | None,
        typer.Option(help="Language, ko or en; the customer's own, if not given."),
    ] = None,
    product_url: Annotated[
        str | None,
        typer.Option(
            "--product-url", help="Link of a product, {id} for its id; none, if not given."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write it there; on standard output, if not given.")
    ] = None,
) -> None:
    """Show the e-mail of a decision as a small block of HTML.

    Products with titles and prices, the offer, and the reason in the customer's language: to be
    pasted into a mail, or looked at in a browser. What is left to do is told on standard error.

    Examples:

      onje render 0b9f6d1e-6a55-4f0e-9a43-6d8f2f6b1c11 --locale ko --out mail.html
    """
    from features.errors import NotReadyError
    from pipelines.effective import effective
    from pipelines.installation import opened
    from pipelines.render import render as rendered

    with opened() as onje:
        done = rendered(
            decision_id,
            store=onje.store,
            settings=effective(onje.settings),
            now=onje.now(),
            language=None if locale is None else locale.split("-")[0].lower(),
            product_url=product_url,
        )
    if out is None:
        print(done.html)
    else:
        try:
            out.write_text(done.html, "utf-8")
        except OSError as problem:
            raise NotReadyError(f"{out} cannot be written: {problem.strerror}") from problem
    for note in done.notes:
        typer.echo(note, err=True)


def add_to(app: typer.Typer) -> None:
    app.command("render")(render)
