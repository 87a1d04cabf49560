"""Write everything about one customer into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export_customer(
    customer_id: Annotated[str, typer.Argument(metavar="CUSTOMER_ID", help="Whose.")],
    out: Annotated[Path, typer.Option(help="The file to write; it is not written over.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Write everything about one customer into a file (GDPR 15 and 20).

    One JSON document: who they are, what they agreed to, every event, scores and decisions with
    their receipts; docs/operate-customers.md describes it. The file is for its owner's eyes only.

    Example:

      onje export-customer customer-4711 --out customer-4711.json
    """
    from features.errors import DataError, NotReadyError
    from pipelines.console import show
    from pipelines.installation import looked_at
    from serving.exporting import export

    with looked_at() as onje:
        pieces = export(
            customer_id,
            store=onje.store,
            lake_root=onje.places.lake,
            settings=onje.settings.features,
            now=onje.now(),
        )
        first = next(pieces, None)
        if first is None:
            raise NotReadyError(
                f"nothing is known of a customer {customer_id!r}; check the id, spaces and capital "
                "letters count"
            )
        try:
            out.touch(mode=0o600, exist_ok=False)
        except OSError as problem:
            raise DataError(
                f"{out} cannot be written: {problem.strerror}; name another --out"
            ) from problem
        with out.open("w", encoding="utf-8") as file:
            file.write(first)
            file.writelines(pieces)
    show({"file": str(out), "bytes": out.stat().st_size}, as_json=as_json, title="Exported")


def add_to(app: typer.Typer) -> None:
    app.command("export-customer")(export_customer)
