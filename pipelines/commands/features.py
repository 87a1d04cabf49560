"""Show what Onje knows of a customer at a moment."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from pipelines.moments import moment


def features(
    customer: Annotated[str, typer.Argument(help="The customer's id.")],
    as_of: Annotated[
        datetime | None,
        typer.Option(
            parser=moment, metavar="MOMENT", help="At which moment (UTC); now, if not given."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
) -> None:
    """Show what Onje knows of a customer at a moment, feature by feature.

    Uses only what had happened and was known at that moment, from the lake.

    Examples:

      onje features 1001

      onje features 1001 --as-of 2017-06-01T12:00:00
    """
    import polars as pl

    from features.build import features_as_of
    from features.errors import NotReadyError
    from features.history import to_history
    from features.tables import SPINE
    from pipelines.console import show
    from pipelines.installation import opened

    with opened() as onje:
        settings, lake = onje.settings.features, onje.lake
        events = lake.read("events", customers=[customer])
        if events.is_empty():
            raise NotReadyError(f"no event of customer {customer} in the lake {onje.places.lake}")
        moment = as_of or onje.now()
        spine = SPINE.check(
            pl.DataFrame(
                {"customer_id": [customer], "as_of": [moment]},
                schema_overrides={"as_of": pl.Datetime("us", "UTC")},
            )
        )
        history = to_history(events, lake.read("products"), settings=settings)
        people = lake.read("customers", customers=[customer])
        row = features_as_of(history, spine, people, settings=settings).row(0, named=True)
        row["synthetic"] = lake.is_synthetic()
    show(row, as_json=as_json, title=f"Customer {customer} as of {moment:%Y-%m-%d %H:%M} UTC")


def add_to(app: typer.Typer) -> None:
    app.command("features")(features)
