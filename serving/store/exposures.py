"""Which arms of experiments the decisions that are kept were made under."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Connection, select

from serving.store.tables import decisions
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
        "propensity": pl.Float64(),
        "learnt": pl.String(),  # JSON object: the shares of a bandit then; null where it had none
    }
)
# How a receipt begins to tell of experiments, if it tells of any.
TELLS_OF_ONE = '"experiments":[{'


def exposures_since(connection: Connection, since: datetime) -> pl.DataFrame:
    """EXPOSURES of all decisions from `since` on, plans among them; one row per experiment."""
    # The receipt is the only place that says so; nobody waits for this.
    wanted = select(decisions).where(
        decisions.c.as_of >= since, decisions.c.receipt.contains(TELLS_OF_ONE, autoescape=True)
    )
    rows = [row for found in connection.execute(wanted) for row in _told(found)]
    return pl.DataFrame(rows, schema=EXPOSURES, orient="row")


def _told(row: Any) -> Iterator[tuple[Any, ...]]:
    receipt = json.loads(row.receipt)
    applies = [arm["email"] for arm in receipt["arms"] if arm["applies"]]
    shares = receipt["conditions"]["shares"]
    for one in receipt["experiments"]:
        learnt = shares.get(one["experiment"])
        yield (
            row.decision_id,
            row.customer_id,
            row.as_of,
            row.email,
            applies,
            one["experiment"],
            one["arm"],
            one["propensity"],
            None if learnt is None else json.dumps(learnt, sort_keys=True),
        )
