"""Small histories, drawn as text; and settings for shops of a few dozen customers."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from features.tables import HISTORY
from training.settings import (
    ChurnSettings,
    DormancyDateSettings,
    DormancySettings,
    ResamplingSettings,
)

RESAMPLING = ResamplingSettings(replicates=400, level=0.95, seed=1, least_customers=30)
CHURN = ChurnSettings(
    horizon_days=28,
    every_days=7,
    train_snapshots=4,
    test_snapshots=2,
    newcomer_days=7,
    calibrate=True,
    rounds=60,
    learning_rate=0.1,
    leaves=7,
    rows_in_leaf=10,
    shrinkage=1.0,
    seed=1,
)
DORMANCY = DormancySettings(
    horizon_days=28,
    least_delivered=3,
    every_days=14,
    train_snapshots=3,
    test_snapshots=2,
    rounds=40,
    learning_rate=0.1,
    leaves=4,
    rows_in_leaf=10,
    shrinkage=1.0,
    seed=1,
)
DORMANCY_DATE = DormancyDateSettings(
    dormant_days=30,
    weeks=16,
    test_weeks=10,
    every_days=14,
    train_snapshots=8,
    examples=100_000,
    rounds=80,
    learning_rate=0.1,
    leaves=4,
    rows_in_leaf=20,
    shrinkage=1.0,
    seed=1,
)


def moment(text: str) -> datetime:
    """'2024-05-01' or '2024-05-01T09:00', in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def history(text: str) -> pl.DataFrame:
    """One event a line: customer | kind | at, and | known_at where it was learnt later."""
    rows = []
    for number, line in enumerate(text.strip().splitlines()):
        customer, kind, at, *known = (cell.strip() for cell in line.split("|"))
        rows.append(
            {
                "event_id": str(number),
                "customer_id": customer,
                "kind": kind,
                "at": moment(at),
                "known_at": moment(known[0] if known else at),
                "channel": "web",
                "order_id": f"order-{number}" if kind == "order" else None,
                "amount": 10 if kind == "order" else None,
            }
        )
    return HISTORY.shape(pl.DataFrame(rows, infer_schema_length=None))


def spine(*rows: tuple[str, str]) -> pl.DataFrame:
    """Customers and moments."""
    return pl.DataFrame(
        [(customer, moment(at)) for customer, at in rows],
        schema={"customer_id": pl.String, "as_of": pl.Datetime("us", "UTC")},
        orient="row",
    )
