"""Decide for everybody, as the service would at one moment; nothing is reserved."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import polars as pl

from features.errors import NotReadyError
from features.hashing import BUCKETS
from features.history import newest, to_history
from features.lake import Lake
from pipelines.compact import compact
from pipelines.console import Step
from pipelines.effective import effective
from pipelines.settings import Settings
from serving.answer import decisions_of
from serving.conditions import Conditions
from serving.effective import Effective
from serving.knowledge import Knowledge
from serving.receipts import DECIDED, decision_hash, record_of, rows_of
from serving.schemas.decisions import DecisionRequest
from serving.score_table import SCORES, score_table
from serving.scores import Models, scores_of
from serving.store.decided import Record
from serving.store.store import Store
from serving.tables import DECISIONS, REQUESTS
from serving.valuation import Valuation

# Names of runs and their decisions: the same inputs give the same ids.
RUNS = UUID("6f6e6a65-0000-4000-8000-7265736372ff")
# Events scored in one pass: enough to be quick, few enough for a gigabyte of memory.
EVENTS_AT_ONCE = 400_000
LATEST = "latest"
# Onje's own policy, by name; its valuation is serving.valuation.OWN.
ONJE = "onje"
READ = ("events", "customers", "products")


@dataclass(frozen=True)
class Rescored:
    """A finished run; `synthetic` where its lake or one of its models is."""

    run_id: str
    as_of: datetime
    customers: int
    send: int
    wait: int
    folder: Path
    missing_models: list[str]
    synthetic: bool


def rescore(
    lake: Lake,
    store: Store,
    models: Models,
    *,
    as_of: datetime,
    out: Path,
    settings: Settings,
    policy: str,
    valuation: Valuation,
    step: Step,
) -> Rescored:
    """Decide for each customer of the lake as of `as_of` and write plans and scores.

    `policy` is the name of the valuation; another name is another run.

    The folder `out/<run id>` appears whole, and then `out/latest` points to it: a reader sees the
    old output or the new, never a part. The same inputs write the same bytes to the same folder.
    The store gets the plans; whatever it decides live for a customer takes their plan's place.
    """
    # What was told online since the last compaction counts too, a withdrawal of consent first.
    compact(store, lake, step=step)
    versions = _versions(lake)
    mail = store.promised(now=as_of)
    conditions = store.conditions()
    run_id = str(
        uuid5(
            RUNS,
            _inputs(
                versions,
                models,
                mail,
                conditions,
                as_of=as_of,
                settings=settings,
                policy=policy,
            ),
        )
    )
    unfinished = out / f".{run_id}.{os.getpid()}"
    try:
        decisions, scores = _parts(
            lake,
            versions,
            mail,
            conditions,
            models,
            run_id=run_id,
            as_of=as_of,
            settings=settings,
            valuation=valuation,
            step=step,
        )
        folder = _written(decisions, scores, unfinished, out / run_id)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    lake.replace("scores", scores)
    in_force = effective(settings)
    store.keep_settings(in_force.fingerprint, in_force.to_json())
    store.record_plans(_plans(decisions, in_force))
    _point(out / LATEST, run_id)
    send = decisions.filter(pl.col("action") == "send").height
    wait = decisions.height - send
    return Rescored(
        run_id,
        as_of,
        decisions.height,
        send,
        wait,
        folder,
        missing_models=list(models.missing),
        synthetic=bool(models.synthetic) or lake.is_synthetic(),
    )


def _parts(
    lake: Lake,
    versions: Mapping[str, int],
    mail: pl.DataFrame,
    conditions: Conditions,
    models: Models,
    *,
    run_id: str,
    as_of: datetime,
    settings: Settings,
    valuation: Valuation,
    step: Step,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Decisions and scores of all customers, a few buckets at a time."""
    products = lake.read("products", version=versions["products"])
    decisions, scores = [], []
    groups = list(_groups(lake, versions["events"]))
    for done, buckets in enumerate(groups):
        step("customers decided, in groups", done, len(groups))
        events = lake.read("events", version=versions["events"], buckets=buckets)
        told = to_history(
            events.filter(pl.col("known_at") <= as_of), products, settings=settings.features
        )
        # As `publish` cuts it for the service: whoever is decided for must look the same to both.
        history = newest(told, settings.features.newest_events)
        knowledge = Knowledge(
            history=history,
            customers=lake.read("customers", version=versions["customers"], buckets=buckets),
            products=products,
            mail=mail,
            conditions=conditions,
            lake_versions=versions,
        )
        requests = _requests(history, run_id=run_id, as_of=as_of)
        if requests.is_empty():
            continue
        spine = requests.select("customer_id", "as_of")
        said = scores_of(
            spine,
            knowledge,
            models,
            settings=settings.serving,
            feature_settings=settings.features,
        )
        scores.append(score_table(said, models))
        decisions.append(
            decisions_of(
                requests,
                knowledge,
                models,
                said,
                settings=settings.serving,
                feature_settings=settings.features,
                valuation=valuation,
            )
        )
    step("customers decided, in groups", len(groups), len(groups))
    return (
        _with_hash(_joined(decisions, DECISIONS).drop("row").sort("customer_id")),
        _joined(scores, SCORES).sort("customer_id"),
    )


def _with_hash(decisions: pl.DataFrame) -> pl.DataFrame:
    decided = decisions.select(DECIDED)
    hashes = [decision_hash(row) for row in decided.iter_rows(named=True)]
    return decisions.with_columns(hash=pl.Series(hashes, dtype=pl.String))


def _joined(parts: Sequence[pl.DataFrame], schema: Any) -> pl.DataFrame:
    return pl.concat(parts) if parts else pl.DataFrame(schema=schema)


def _groups(lake: Lake, version: int) -> Iterator[list[int]]:
    """All buckets, split into as many groups as their events need."""
    events = lake.scan("events", version=version).select(pl.len()).collect().item()
    size = max(1, BUCKETS // max(1, math.ceil(events / EVENTS_AT_ONCE)))
    for start in range(0, BUCKETS, size):
        yield list(range(start, min(start + size, BUCKETS)))


def _requests(history: pl.DataFrame, *, run_id: str, as_of: datetime) -> pl.DataFrame:
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


def _versions(lake: Lake) -> dict[str, int]:
    """The version of each table that is read: whatever is written meanwhile, a run sees these."""
    versions = lake.versions()
    if not set(READ) <= set(versions):
        raise NotReadyError("nobody to decide for: the lake is empty; type `onje ingest --help`")
    return {table: versions[table] for table in READ}


def _inputs(
    versions: Mapping[str, int],
    models: Models,
    mail: pl.DataFrame,
    conditions: Conditions,
    *,
    as_of: datetime,
    settings: Settings,
    policy: str,
) -> str:
    """All that the output depends on, as one text."""
    promised = mail.sort("decision_id").write_json()
    return json.dumps(
        {
            "as_of": as_of.isoformat(),
            "lake": dict(versions),
            "models": models.versions,
            "settings": settings.fingerprint,
            "policy": policy,
            "mail": sha256(promised.encode()).hexdigest(),
            "conditions": conditions.to_json(),
        },
        sort_keys=True,
    )


def _plans(decisions: pl.DataFrame, in_force: Effective) -> list[Record]:
    """What the store keeps of each decision; its request is the run's own."""
    return [
        record_of(
            {"row": None, **row},
            DecisionRequest(request_id=row["decision_id"], customer_id=row["customer_id"]),
            in_force,
            online=(),
            revision=0,
        )
        for row in rows_of(decisions)
    ]


def _written(decisions: pl.DataFrame, scores: pl.DataFrame, unfinished: Path, folder: Path) -> Path:
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        decisions.write_parquet(unfinished / "decisions.parquet")
        scores.write_parquet(unfinished / "scores.parquet")
        return _put_in_place(unfinished, folder)
    except (OSError, pl.exceptions.ComputeError) as problem:
        raise NotReadyError(
            f"{folder} cannot be written: {problem}; the output before it stays. Make room, or "
            "choose another folder with --out"
        ) from problem


def _put_in_place(unfinished: Path, folder: Path) -> Path:
    if folder.exists():  # the same inputs wrote it before: the same bytes
        shutil.rmtree(unfinished)
    else:
        unfinished.rename(folder)
    return folder


def _point(link: Path, run_id: str) -> None:
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(run_id)
    fresh.replace(link)
