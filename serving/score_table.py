"""Scores as one row per customer: what `/v1/scores` answers and the nightly job writes."""

from __future__ import annotations

import json

import polars as pl

from serving.hours import best_hours
from serving.scores import Models, Scores
from serving.tables import KEY

# Categories and products that are told of each customer, best first.
ITEMS = 20

INTEREST = pl.Struct({"item": pl.String, "probability": pl.Float64})
SCORES: dict[str, pl.DataType] = {
    "customer_id": pl.String(),
    "as_of": pl.Datetime("us", "UTC"),
    "known_customer": pl.Boolean(),
    "degraded": pl.Boolean(),
    "segment": pl.String(),
    "stage": pl.String(),
    "churn": pl.Float64(),
    "dormant": pl.Boolean(),
    "email_dormancy": pl.Float64(),
    "dormant_on": pl.Datetime("us", "UTC"),
    "dormant_within_30d": pl.Float64(),
    "hours": pl.List(
        pl.Struct(
            {
                "weekend": pl.Boolean,
                "hour": pl.Int8,
                "probability": pl.Float64,
                "source": pl.String,  # customer | segment | everyone | default
            }
        )
    ),
    # The best allowed hour of a weekday and of a weekend day. `gain` in clicks over the usual hour,
    # as a share; then how much of it is the customer's own evidence, the segment's, everyone's.
    "best_hours": pl.List(
        pl.Struct(
            {
                "weekend": pl.Boolean,
                "hour": pl.Int8,
                "gain": pl.Float64,
                "gain_low": pl.Float64,
                "source": pl.String,
                "customer": pl.Float64,
                "segment": pl.Float64,
                "everyone": pl.Float64,
            }
        )
    ),
    "hour_evidence": pl.String(),  # clicks | activity | null without a model
    "categories": pl.List(INTEREST),
    "products": pl.List(INTEREST),
    "versions": pl.String(),  # JSON object: version by name of the model, null for a missing one
}


def score_table(found: Scores, models: Models) -> pl.DataFrame:
    """One row of SCORES per row of the spine that was scored, in its order."""
    hours = (
        found.hours.sort(*KEY, "weekend", "hour")
        .group_by(KEY, maintain_order=True)
        .agg(hours=pl.struct("weekend", "hour", "probability", "source"))
    )
    best = best_hours(found.hours, found.policy)
    return (
        found.people.select(
            *KEY, "known_customer", "segment", "stage", "churn",
            "email_dormancy", "dormant_on", "dormant_within_30d",
            dormant=pl.col("email_dormant") > 0,
        )
        .join(hours, on=KEY, how="left", maintain_order="left")
        .join(best, on=KEY, how="left", maintain_order="left")
        .join(_best(found.categories, "categories"), on=KEY, how="left", maintain_order="left")
        .join(_best(found.products, "products"), on=KEY, how="left", maintain_order="left")
        .with_columns(
            pl.col("categories", "products").fill_null([]),
            hour_evidence=pl.lit(models.hour_evidence, pl.String),
            degraded=pl.lit(bool(models.missing)),
            versions=pl.lit(json.dumps(models.versions)),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in SCORES.items())
    )  # fmt: skip


def _best(items: pl.DataFrame, name: str) -> pl.DataFrame:
    return (
        items.filter(pl.col("rank") <= ITEMS)
        .sort(*KEY, "rank")
        .group_by(KEY, maintain_order=True)
        .agg(pl.struct("item", "probability").alias(name))
    )
