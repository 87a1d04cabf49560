"""Customers dealt to experiments, as tests draw them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime

import polars as pl

from serving.assignment import assigned
from serving.conditions import NO_CONDITIONS, Conditions
from serving.experiment_settings import ExperimentSettings
from serving.tables import UTC
from tests.serving.shop import NOW, shop

PEOPLE = [f"customer {number}" for number in range(20_000)]
SUBJECT = {
    "email": "cart_reminder", "factor": "subject", "arms": ("plain", "question", "emoji"),
    "split": "fixed", "shares": (0.5, 0.3, 0.2), "metric": "click",
    "started_on": date(2026, 3, 1), "ends_on": date(2026, 3, 31), "outcome_days": 7, "share": 1.0,
    "seed": 1,
}  # fmt: skip
CART = {"cart_waiting_hours": 5.0, "cart_items": 2.0}


def experiment(**differs: object) -> ExperimentSettings:
    return ExperimentSettings(**{**SUBJECT, **differs})


def shop_with(policy: Mapping[str, object] = {}, **experiments: ExperimentSettings):  # noqa: B006
    return shop(dict(policy), {}, experiments=experiments)


def learnt(**shares: Mapping[str, float]) -> Conditions:
    return replace(NO_CONDITIONS, shares=shares)


def dealt(
    settings,
    people: Iterable[str] = PEOPLE,
    *,
    now: datetime = NOW,
    conditions: Conditions = NO_CONDITIONS,
) -> pl.DataFrame:
    """customer_id, experiment, arm, propensity: who is in which arm at a moment."""
    people = list(people)
    questions = pl.DataFrame(
        {"row": range(len(people)), "customer_id": people, "as_of": [now] * len(people)},
        schema={"row": pl.UInt32, "customer_id": pl.String, "as_of": UTC},
    )
    found = assigned(questions, settings, conditions)
    return questions.join(found, on="row", maintain_order="left").select(
        "customer_id", "experiment", "arm", "propensity"
    )


def arms_by_customer(frame: pl.DataFrame) -> dict[str, str]:
    return dict(frame.select("customer_id", "arm").iter_rows())
