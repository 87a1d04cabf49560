"""Which arms of experiments the decisions that are kept were made under."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Connection, inspect, select

from serving.store.tables import decisions, exposures
from serving.store.upsert import insert_for
from serving.tables import UTC

EXPOSURES = pl.Schema(
    {
        "decision_id": pl.String(),
        "customer_id": pl.String(),
        "as_of": UTC,
        "email": pl.String(),  # what was decided to be sent; null for wait
        "applies": pl.List(pl.String()),  # the e-mails that applied
        "experiment": pl.String(),
        "arm": pl.String(),
        "learnt": pl.String(),  # JSON object: the shares of a bandit then; null where it had none
    }
)


@dataclass(frozen=True)
class Exposure:
    """The arm of one experiment that a decision was made under; see EXPOSURES."""

    experiment: str
    arm: str
    learnt: str | None
    applies: tuple[str, ...]


def exposures_of(receipt: Mapping[str, Any]) -> tuple[Exposure, ...]:
    """What a receipt tells of experiments."""
    if not receipt["experiments"]:
        return ()
    applies = tuple(arm["email"] for arm in receipt["arms"] if arm["applies"])
    shares = receipt["conditions"]["shares"]
    return tuple(
        Exposure(one["experiment"], one["arm"], _as_json(shares.get(one["experiment"])), applies)
        for one in receipt["experiments"]
    )


Made = tuple[Mapping[str, Any], Iterable[Exposure]]


def note(connection: Connection, made: Iterable[Made]) -> None:
    """Note the arms of decisions (rows of their table); one that was noted before stays."""
    rows = [
        {
            "decision_id": decision["decision_id"],
            "customer_id": decision["customer_id"],
            "as_of": decision["as_of"],
            "email": decision["email"],
            "applies": json.dumps(one.applies),
            "experiment": one.experiment,
            "arm": one.arm,
            "learnt": one.learnt,
        }
        for decision, under in made
        for one in under
    ]
    if rows:
        connection.execute(insert_for(connection, exposures).on_conflict_do_nothing(), rows)


def are_unread(connection: Connection) -> bool:
    """Whether a release kept decisions here that did not note their arms beside them."""
    there = inspect(connection).get_table_names()
    return decisions.name in there and exposures.name not in there


def note_all(connection: Connection) -> None:
    """Note the arms of all decisions that are kept, from their receipts."""
    for row in connection.execute(select(decisions)):
        receipt = json.loads(row.receipt)
        if receipt.get("experiments"):
            note(connection, [(row._asdict(), exposures_of(receipt))])


def exposures_since(connection: Connection, since: datetime) -> pl.DataFrame:
    """EXPOSURES of all decisions from `since` on, plans among them; one row per experiment."""
    wanted = (
        select(exposures)
        .where(exposures.c.as_of >= since)
        .order_by(exposures.c.as_of, exposures.c.decision_id, exposures.c.experiment)
    )
    rows = [
        {**row, "applies": json.loads(row["applies"])}
        for row in connection.execute(wanted).mappings()
    ]
    return pl.DataFrame(rows, schema=EXPOSURES)


def _as_json(shares: Mapping[str, float] | None) -> str | None:
    return None if shares is None else json.dumps(shares, sort_keys=True)
