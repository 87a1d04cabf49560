"""Scores of some customers as they stand now, for whoever wants no decision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from features.contracts import Spine
from serving.live import Live
from serving.schemas.customers import Permission, Scores
from serving.score_table import score_table
from serving.scores import scores_of
from serving.store import View


@dataclass(frozen=True)
class Scored:
    """A customer's scores, with what else is known that bears on mail."""

    scores: Scores
    permission: Permission
    timezone: str | None


def score_customers(customer_ids: Sequence[str], live: Live, *, now: datetime) -> list[Scored]:
    """Each customer once, in the order of first mention."""
    return score_view(customer_ids, view_now(customer_ids, live, now=now), live)


def view_now(customer_ids: Sequence[str], live: Live, *, now: datetime) -> View:
    features = live.settings.current.features
    return live.store.view_of(set(customer_ids), now=now, settings=features)


def score_view(customer_ids: Sequence[str], view: View, live: Live) -> list[Scored]:
    """The same where the view of these customers is there already."""
    in_force = live.settings.current
    models = live.models.under(in_force.features)
    asked = list(dict.fromkeys(customer_ids))
    types = {name: column.dtype for name, column in Spine.columns().items()}
    as_of = [view.present[customer_id] for customer_id in asked]
    spine = pl.DataFrame({"customer_id": asked, "as_of": as_of}, schema=types)
    found = scores_of(
        spine,
        view.knowledge,
        models,
        settings=in_force.serving,
        feature_settings=in_force.features,
    )
    people = found.people.rows(named=True)
    rows = score_table(found, models).rows(named=True)
    return [_scored(row, person) for row, person in zip(rows, people, strict=True)]


def scores_of_the_night(customer_ids: Sequence[str], live: Live) -> list[Scores]:
    """Of those customers that the last night knew, what it said of them; `degraded` all."""
    rows = live.night.of(customer_ids).rows(named=True)
    return [_on_the_wire(row | {"degraded": True}) for row in rows]


def _on_the_wire(row: dict[str, Any]) -> Scores:
    return Scores.model_validate(row | {"versions": json.loads(row["versions"])})


def _scored(row: dict[str, Any], person: dict[str, Any]) -> Scored:
    """`row` of SCORES as the wire has it, with what `person`, the same customer, says besides."""
    scores = _on_the_wire(row)
    permission = Permission.model_validate({name: person[name] for name in Permission.model_fields})
    return Scored(scores, permission, person["timezone"] if person["zone_known"] else None)
