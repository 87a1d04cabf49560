"""Everybody of the lake decided for in one pass, as many customers at once as memory allows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import polars as pl

from features.hashing import BUCKETS, with_bucket
from features.history import newest, to_history
from features.lake import Lake
from pipelines.console import Step
from pipelines.settings import Settings
from serving.answer import decisions_of
from serving.conditions import Conditions
from serving.invariants import assert_invariants, grounds_of
from serving.knowledge import Knowledge
from serving.score_table import SCORES, score_table
from serving.scores import Models, scores_of
from serving.tables import DECISIONS, REQUESTS
from serving.valuation import Valuation

# Events scored in one pass: enough to be quick, few enough for a gigabyte of memory.
EVENTS_AT_ONCE = 400_000
ALL_BUCKETS = tuple(range(BUCKETS))


@dataclass(frozen=True)
class Everybody:
    """Who is decided for, from what, and how; the conditions aside."""

    lake: Lake
    versions: Mapping[str, int]
    mail: pl.DataFrame
    models: Models
    run_id: str
    as_of: datetime
    settings: Settings
    valuation: Valuation


def decided(
    everybody: Everybody, conditions: Conditions, buckets: Sequence[int], step: Step
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Decisions and scores of the customers of these `buckets`, a few buckets at a time."""
    lake, versions, settings = everybody.lake, everybody.versions, everybody.settings
    products = lake.read("products", version=versions["products"])
    decisions, scores = [], []
    groups = list(_groups(lake, versions["events"], buckets))
    for done, group in enumerate(groups):
        step("customers decided, in groups", done, len(groups))
        events = lake.read("events", version=versions["events"], buckets=group)
        told = to_history(
            events.filter(pl.col("known_at") <= everybody.as_of),
            products,
            settings=settings.features,
        )
        # As `publish` cuts it for the service: whoever is decided for must look the same to both.
        history = newest(told, settings.features.newest_events)
        knowledge = Knowledge(
            history=history,
            customers=lake.read("customers", version=versions["customers"], buckets=group),
            products=products,
            mail=everybody.mail,
            conditions=conditions,
            lake_versions=versions,
        )
        requests = requests_of(history, run_id=everybody.run_id, as_of=everybody.as_of)
        if requests.is_empty():
            continue
        said = scores_of(
            requests.select("customer_id", "as_of"),
            knowledge,
            everybody.models,
            settings=settings.serving,
            feature_settings=settings.features,
        )
        scores.append(score_table(said, everybody.models))
        made = decisions_of(
            requests,
            knowledge,
            everybody.models,
            said,
            settings=settings.serving,
            feature_settings=settings.features,
            valuation=everybody.valuation,
        )
        assert_invariants(made, grounds_of(knowledge, said), settings.serving)
        decisions.append(made)
    step("customers decided, in groups", len(groups), len(groups))
    return (
        _joined(decisions, DECISIONS).drop("row").sort("customer_id"),
        _joined(scores, SCORES).sort("customer_id"),
    )


def buckets_with(everybody: Everybody, customers: int) -> tuple[list[int], float]:
    """The first buckets that hold at most so many customers (but one at least), and their share.

    A bucket is a stable hash of its customers, so these are a fair sample of all.
    """
    version = everybody.versions["events"]
    names = everybody.lake.scan("events", version=version).select(pl.col("customer_id").unique())
    sizes = with_bucket(names.collect()).group_by("bucket").len().sort("bucket")
    held = sizes.get_column("len").cum_sum()
    count = max(1, int((held <= customers).sum()))
    if count >= sizes.height:
        return list(ALL_BUCKETS), 1.0
    return sizes.get_column("bucket").head(count).to_list(), held[count - 1] / held[-1]


def requests_of(history: pl.DataFrame, *, run_id: str, as_of: datetime) -> pl.DataFrame:
    """One question for each customer; its decision's id comes from the run and the customer."""
    customers = history.get_column("customer_id").unique().sort()
    ids = [str(uuid5(UUID(run_id), customer)) for customer in customers]
    frame = pl.DataFrame(
        {"decision_id": ids, "customer_id": customers},
        schema_overrides={"decision_id": pl.String},
    ).with_columns(
        row=pl.int_range(pl.len(), dtype=pl.UInt32),
        request_id="decision_id",
        as_of=pl.lit(as_of).cast(pl.Datetime("us", "UTC")),
    )
    missing = [pl.lit(None, dtype).alias(n) for n, dtype in REQUESTS.items() if n not in frame]
    return frame.with_columns(missing).select(list(REQUESTS))


def _groups(lake: Lake, version: int, buckets: Sequence[int]) -> Iterator[Sequence[int]]:
    """The buckets, split into as many groups as their events need."""
    events = lake.scan("events", version=version).select(pl.len()).collect().item()
    size = max(1, BUCKETS // max(1, math.ceil(events / EVENTS_AT_ONCE)))
    for start in range(0, len(buckets), size):
        yield buckets[start : start + size]


def _joined(parts: Sequence[pl.DataFrame], schema: Any) -> pl.DataFrame:
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)
