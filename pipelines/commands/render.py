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
    from pipelines.effective import effective
    from pipelines.installation import opened
    from pipelines.render import render as rendered

    language = None if locale is None else _language(locale)
    if product_url is not None:
        _refuse_odd_link(product_url)
    with opened() as onje:
        done = rendered(
            decision_id,
            store=onje.store,
            settings=effective(onje.settings),
            now=onje.now(),
            language=language,
            product_url=product_url,
        )
    if out is None:
        print(done.html)
    else:
        try:
            out.write_text(done.html, "utf-8")
        except OSError as problem:
            raise typer.BadParameter(
                f"{out} cannot be written: {problem.strerror}", param_hint="--out"
            ) from problem
    for note in done.notes:
        typer.echo(note, err=True)


def _language(locale: str) -> str:
    from serving.rendering.sentences import languages

    language = locale.split("-")[0].lower()
    if language not in languages():
        raise typer.BadParameter(
            f"no sentences in {language}; there are {', '.join(languages())}",
            param_hint="--locale",
        )
    return language


def _refuse_odd_link(link: str) -> None:
    """What begins with javascript: or data: would be run, or shown as if the shop had said it."""
    from urllib.parse import urlsplit

    is_plain = link.isprintable() and " " not in link
    if not is_plain or urlsplit(link).scheme not in ("", "http", "https"):
        raise typer.BadParameter(
            f"a link is https://..., http://... or a path, without spaces; found {link!r}",
            param_hint="--product-url",
        )


def add_to(app: typer.Typer) -> None:
    app.command("render")(render)
