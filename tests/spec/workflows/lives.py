"""Lives drawn day by day, and where they stand in workflows. What happens, happens at noon UTC.

day | what               | state   | due
0   | win_back_1         | running | -      <- we send this e-mail
7   | -                  | running | 2      <- nothing happens; step 2 is due
8   | click win_back_1   | ended   | -      <- a person clicks
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from features.build import features_as_of
from features.contacts import contacts_as_of
from serving.answer import answer
from serving.conditions import NO_CONDITIONS
from serving.knowledge import Knowledge
from serving.models import NO_MODELS
from serving.settings import ServingSettings
from serving.tables import KEY, MAIL
from serving.tables import UTC as UTC_TYPE
from serving.valuation import OWN
from serving.workflow_steps import steps_of
from tests.features.text import history
from tests.serving.drawn import drawn
from tests.serving.histories import FEATURES, customers, requests, shelf
from tests.serving.shop import NEW_YORK, WRITTEN, shop

# A Monday.
FIRST = datetime(2026, 1, 5, 12, tzinfo=UTC)
SERIES = tomllib.loads(Path(__file__).with_name("series.toml").read_text("utf-8"))
NOBODY = pl.DataFrame(schema={"customer_id": pl.String, "as_of": UTC_TYPE, "email": pl.String})

_KINDS = {
    "visit": "session", "cart": "cart_add | product=bread", "view": "view | product=bread",
    "search": "search", "checkout": "checkout", "redeem": "redeem", "review": "review",
    "survey": "survey", "signup": "signup", "unsubscribe": "unsubscribe",
    "confirm": "consent | reason=reconfirmed", "agree": "consent | reason=granted",
}  # fmt: skip


def series(
    emails: Mapping[str, Mapping[str, Any]],
    segments: Mapping[str, Mapping[str, Any]] | None = None,
    /,
    **workflows: Mapping[str, Any],
) -> ServingSettings:
    """The shop of series.toml; `workflows` and `emails` with these figures instead of its own."""
    usual = {**WRITTEN["emails"]["recommendation"], "parameters": {}}
    told = SERIES["emails"] | {n: t for n, t in emails.items() if n not in SERIES["emails"]}
    return shop(
        {},
        {},
        emails={name: {**usual, **table, **emails.get(name, {})} for name, table in told.items()},
        segments=segments or {},
        workflows={
            name: {**SERIES["workflows"].get(name, {}), **workflows.get(name, {})}
            for name in {**SERIES["workflows"], **workflows}
        },
    )


SHOP = series({})


def moment(day: float) -> datetime:
    """When we look at a day: an hour after noon."""
    return FIRST + timedelta(days=day, hours=1)


def events(text: str, customer: str = "ann") -> pl.DataFrame:
    """The history of a drawn life."""
    lines = []
    for row in drawn(text):
        told = str(row["what"]).split(";") if row["what"] else []
        for place, what in enumerate(told):
            at = FIRST + timedelta(days=float(row["day"]), minutes=place)
            lines.append(_line(what.strip(), at.replace(tzinfo=None), customer))
    return history("\n".join(lines))


def renamed(told: pl.DataFrame, customer: str) -> pl.DataFrame:
    """The same life with event ids of its own, to lie beside others."""
    return told.with_columns(event_id=pl.format("{} {}", pl.lit(customer), "event_id"))


def _line(what: str, at: datetime, customer: str) -> str:
    said = what.removeprefix("machine ")
    machine = " | machine=yes" if said != what else ""
    kind, _, email = said.partition(" ")
    if kind in ("click", "open"):
        event = f"{kind} | email={email}"
    elif kind == "order":
        event = f"order | order={at:%j%H%M} | product=bread | amount={email or 30}"
    else:
        event = _KINDS.get(said, f"send | email={said}")
    return f"{customer} | {at.isoformat()} | {event}{machine}"


def known(
    told: pl.DataFrame, rows: Iterable[tuple[str, datetime]]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Features of customers at moments, and what they had of each e-mail."""
    schema = {"customer_id": pl.String, "as_of": UTC_TYPE}
    spine = pl.DataFrame(list(rows), schema=schema, orient="row")
    names = spine.get_column("customer_id").unique().to_list()
    people = features_as_of(told, spine, customers(*names, zone=NEW_YORK), settings=FEATURES)
    return people, contacts_as_of(told, spine, settings=FEATURES)


def stands(
    told: pl.DataFrame,
    days: Iterable[float],
    settings: ServingSettings = SHOP,
    promised: pl.DataFrame = NOBODY,
) -> pl.DataFrame:
    """Where Ann stands on these days, one row each, from the whole history at once."""
    people, contacts = known(told, [("ann", moment(day)) for day in days])
    return steps_of(people, contacts, promised, settings)


def check(text: str, workflow: str, settings: ServingSettings = SHOP) -> None:
    """Each row of the drawing says where they stand then; columns are those of steps_of."""
    rows = drawn(text)
    found = stands(events(text), [float(row["day"]) for row in rows], settings)
    for row, said in zip(rows, found.rows(named=True), strict=True):
        for column in row.keys() - {"day", "what"}:
            name = column if column in said else f"{column}_{workflow}"
            assert said[name] == row[column], f"day {row['day']}: {column}"


def decided(
    text: str,
    day: float,
    settings: ServingSettings = SHOP,
    emails: Sequence[str] | None = None,
    mail: pl.DataFrame | None = None,
) -> dict[str, Any]:
    """What is decided on a day of a drawn life."""
    return answer(
        requests("ann", now=moment(day), emails=emails),
        Knowledge(
            history=events(text),
            customers=customers("ann", zone=NEW_YORK),
            products=shelf(),
            mail=pl.DataFrame(schema=MAIL) if mail is None else mail,
            conditions=NO_CONDITIONS,
            lake_versions={},
        ),
        NO_MODELS,
        settings=settings,
        feature_settings=FEATURES,
        valuation=OWN,
    ).row(0, named=True)


def promised(email: str, day: float, customer: str = "ann") -> pl.DataFrame:
    """A mail that is promised on that day, and not sent yet."""
    return pl.DataFrame(
        {"customer_id": [customer], "as_of": [moment(day)], "email": [email]},
        schema=NOBODY.schema,
    ).select(*KEY, "email")
