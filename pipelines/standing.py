"""Where a customer stands in each workflow, as a decision of this moment would find it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from features.errors import NotReadyError
from pipelines.installation import Installation
from serving.models import ModelShelf
from serving.promises import standing_of
from serving.scores import scores_of
from serving.settings import ServingSettings
from serving.tables import REQUESTS, UTC


def standing(onje: Installation, customer: str, *, as_of: datetime) -> list[dict[str, Any]]:
    """One row per workflow: state, step that was sent last, step that is due, what ended it.

    Reads what the service reads: what was published, and what was told online since. Raises
    NotReadyError where nothing is known of the customer.
    """
    settings, features = onje.settings.serving, onje.settings.features
    view = onje.store.view_of([customer], now=as_of, settings=features)
    if view.knowledge.history.is_empty():
        raise NotReadyError(
            f"the store knows nothing of customer {customer}; `onje publish` loads the lake into it"
        )
    models = ModelShelf(onje.places.home)
    models.refresh(features)
    spine = pl.DataFrame(
        {"customer_id": [customer], "as_of": [as_of]},
        schema={"customer_id": pl.String, "as_of": UTC},
    )
    scores = scores_of(
        spine, view.knowledge, models.current, settings=settings, feature_settings=features
    )
    nobody_asks = pl.DataFrame(schema=REQUESTS)
    steps = standing_of(scores, nobody_asks, view.knowledge.mail, settings)
    return _rows(steps.row(0, named=True), settings)


def _rows(found: dict[str, Any], settings: ServingSettings) -> list[dict[str, Any]]:
    of_each = ("state", "began_with", "started_days", "at_step", "due", "ended_by", "may_begin")
    rows = []
    for name, workflow in settings.workflows.items():
        told = {column: found[f"{column}_{name}"] for column in of_each}
        due = told["due"]
        rows.append(
            {
                "workflow": name,
                **told,
                "due_emails": list(workflow.steps[due - 1].emails) if due else [],
                "sunset": found["sunset_by"] == name,
            }
        )
    return rows
