"""Scores of some customers as they stand now, for whoever wants no decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from features.contracts import Spine
from serving.live import Live
from serving.schemas.customers import HourChance, Interest, Permission, Scores
from serving.scores import scores_of
from serving.store import View

ITEMS = 20


@dataclass(frozen=True)
class Scored:
    """A customer's scores, with what else is known that bears on mail."""

    scores: Scores
    permission: Permission
    timezone: str | None


def score_customers(customer_ids: Sequence[str], live: Live, *, now: datetime) -> list[Scored]:
    """Each customer once, in the order of first mention."""
    return score_view(customer_ids, view_now(customer_ids, live, now=now), live, now=now)


def view_now(customer_ids: Sequence[str], live: Live, *, now: datetime) -> View:
    features = live.settings.current.features
    return live.store.view_of(set(customer_ids), now=now, settings=features)


def score_view(
    customer_ids: Sequence[str], view: View, live: Live, *, now: datetime
) -> list[Scored]:
    """The same where the view of these customers is there already."""
    in_force, models = live.settings.current, live.models.current
    asked = list(dict.fromkeys(customer_ids))
    as_of = {customer_id: max(now, view.newest.get(customer_id, now)) for customer_id in asked}
    types = {name: column.dtype for name, column in Spine.columns().items()}
    spine = pl.DataFrame({"customer_id": asked, "as_of": list(as_of.values())}, schema=types)
    found = scores_of(
        spine,
        view.knowledge,
        models,
        settings=in_force.serving,
        feature_settings=in_force.features,
    )
    hours = found.hours.partition_by("customer_id", as_dict=True)
    categories = _best(found.categories)
    products = _best(found.products)
    return [
        _scored(
            person,
            hours[person["customer_id"],],
            categories.get((person["customer_id"],)),
            products.get((person["customer_id"],)),
            versions=models.versions,
            degraded=bool(models.missing),
        )
        for person in found.people.rows(named=True)
    ]


def _best(items: pl.DataFrame) -> dict[tuple[Any, ...], pl.DataFrame]:
    best = items.filter(pl.col("rank") <= ITEMS).sort("rank")
    return best.select("customer_id", "item", "probability").partition_by(
        "customer_id", as_dict=True
    )


def _scored(
    person: dict[str, Any],
    hours: pl.DataFrame,
    categories: pl.DataFrame | None,
    products: pl.DataFrame | None,
    *,
    versions: dict[str, str | None],
    degraded: bool,
) -> Scored:
    dormant = person["email_dormant"]
    scores = Scores(
        customer_id=person["customer_id"],
        as_of=person["as_of"],
        known_customer=person["known_customer"],
        degraded=degraded,
        segment=person["segment"],
        stage=person["stage"],
        churn=person["churn"],
        dormant=None if dormant is None else dormant > 0,
        hours=[
            HourChance.model_validate(row)
            for row in hours.select("weekend", "hour", "probability").rows(named=True)
        ],
        hour_source=hours["source"][0],
        categories=_interests(categories),
        products=_interests(products),
        versions=versions,
    )
    permission = Permission.model_validate({name: person[name] for name in Permission.model_fields})
    return Scored(scores, permission, person["timezone"] if person["zone_known"] else None)


def _interests(items: pl.DataFrame | None) -> list[Interest]:
    if items is None:
        return []
    rows = items.select("item", "probability").rows(named=True)
    return [Interest.model_validate(row) for row in rows]
