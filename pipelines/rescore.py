"""Decide for everybody, as the service would at one moment; nothing is reserved."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid5

import polars as pl

from features.errors import NotReadyError
from features.lake import Lake
from pipelines.bandits import shares_learnt
from pipelines.budget import budget_told, total, used_by, uses_of_arms, within
from pipelines.carrying import alone
from pipelines.compact import compact
from pipelines.console import Step
from pipelines.delivery import delivery_of
from pipelines.effective import effective
from pipelines.erasing import without_erased
from pipelines.everybody import ALL_BUCKETS, Everybody, buckets_with, decided
from pipelines.prices import MOST_CUSTOMERS, NO_PRICES, Prices, limits_of, prices_of
from pipelines.settings import Settings
from serving.conditions import Conditions
from serving.effective import Effective
from serving.receipts import DECIDED, decision_hash, no_links, record_of, rows_of
from serving.schemas.decisions import DecisionRequest
from serving.scores import Models
from serving.store.decided import Record
from serving.store.store import Store
from serving.valuation import Valuation

# Names of runs and their decisions: the same inputs give the same ids.
RUNS = UUID("6f6e6a65-0000-4000-8000-7265736372ff")
LATEST = "latest"
# Onje's own policy, by name; its valuation is serving.valuation.OWN.
ONJE = "onje"
READ = ("events", "customers", "products")


@dataclass(frozen=True)
class Rescored:
    """A finished run; `synthetic` where its lake or one of its models is.

    `budget` tells of each budget that there is: what it is of, its limit for one night, how much of
    it is used, and the price of one more. `in_force`: whether its plans, prices, shares of arms and
    counts of delivered mails hold from now on; those of another policy or of a night before the
    last one do not, and stand in `folder` alone.
    """

    run_id: str
    as_of: datetime
    customers: int
    send: int
    wait: int
    folder: Path
    budget: list[dict[str, float | str]]
    missing_models: list[str]
    synthetic: bool
    in_force: bool


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
    What holds for all alike changes last: what is asked live stands on it.

    A night that lies before the last one overrules nothing, and another policy than Onje's own is
    on trial: of both the folder is all there is. Neither the store, nor the table of scores, nor
    `out/latest` hears of them.
    """
    # What was told online since the last compaction counts too, a withdrawal of consent first.
    compact(store, lake, step=step)
    versions = _versions(lake)
    mail = store.promised(now=as_of)
    delivery = delivery_of(lake, version=versions["events"], as_of=as_of)
    shares = shares_learnt(lake, store, versions=versions, now=as_of, settings=settings)
    # Prices follow from all the rest; those of the night before take no part.
    conditions = replace(
        NO_PRICES.upon(store.conditions()),
        complaints_7d=delivery.complaints.height,
        delivered_7d=delivery.delivered,
        shares=shares,
    )
    limits = limits_of(settings.budget) if policy == ONJE else {}
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
        everybody = Everybody(lake, versions, mail, models, run_id, as_of, settings, valuation)
        prices = _priced(everybody, conditions, limits, step)
        decisions, scores = decided(everybody, prices.upon(conditions), ALL_BUCKETS, step)
        decisions = _with_hash(within(decisions, limits, settings.serving))
        with alone(lake.root, step):
            # Who was erased while this night was deciding is in no file that it writes.
            decisions, scores = (without_erased(one, store) for one in (decisions, scores))
            folder = _written(decisions, scores, unfinished, out / run_id)
            in_force = policy == ONJE and store.is_newest_night(as_of)
            if in_force:
                lake.replace("scores", scores)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    if in_force:
        under = effective(settings)
        store.keep_settings(under.fingerprint, under.to_json())
        # Should a later night overtake this one just now, these plans give way to its own.
        store.record_plans(_plans(decisions, under))
        in_force = store.keep_night(
            delivery.complaints,
            lambda found: prices.upon(
                replace(found, shares=shares, delivered_7d=delivery.delivered)
            ),
            as_of=as_of,
        )
    if in_force:
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
        budget=budget_told(decisions, limits, prices, settings.serving),
        missing_models=list(models.missing),
        synthetic=bool(models.synthetic) or lake.is_synthetic(),
        in_force=in_force,
    )


def _priced(
    everybody: Everybody, conditions: Conditions, limits: Mapping[str, float], step: Step
) -> Prices:
    """The prices of the budgets that bind, by the customers of a sample (see prices)."""
    if not limits:
        return NO_PRICES
    serving = everybody.settings.serving
    buckets, share = buckets_with(everybody, MOST_CUSTOMERS)
    free, _ = decided(everybody, conditions, buckets, step)
    # What chance sends, it sends at any price.
    explored = used_by(free.filter("explored_email"), serving)
    left = {name: max(limit * share - total(explored, name), 0.0) for name, limit in limits.items()}
    return prices_of(uses_of_arms(free, serving), left)


def _with_hash(decisions: pl.DataFrame) -> pl.DataFrame:
    decided = decisions.select(DECIDED)
    hashes = [decision_hash(row) for row in decided.iter_rows(named=True)]
    return decisions.with_columns(hash=pl.Series(hashes, dtype=pl.String))


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


def _plans(decisions: pl.DataFrame, under: Effective) -> list[Record]:
    """What the store keeps of each decision; its request is the run's own."""
    return [
        record_of(
            {"row": None, **row},
            DecisionRequest(request_id=row["decision_id"], customer_id=row["customer_id"]),
            under,
            online=(),
            revision=0,
            links=no_links,
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
