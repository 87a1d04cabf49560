"""Where one policy works: events come in, models are trained, a night is decided."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import polars as pl

from features.lake import Lake
from features.tables import CUSTOMERS, EVENTS
from pipelines.console import silently
from pipelines.evaluation.plan import Plan
from pipelines.evaluation.prepared import Prepared, home_for, learn
from pipelines.ingest.ingested import Ingested, Intake
from pipelines.ingest.into_lake import store as ingest
from pipelines.rescore import rescore
from pipelines.settings import Settings
from serving.models import ModelShelf
from serving.scores import Models
from serving.store.store import Store
from serving.valuation import Valuation

PATIENCE_S = 10.0


@dataclass(frozen=True)
class Desk:
    """A home of its own: lake, store and models."""

    home: Path
    lake: Lake
    store: Store
    shelf: ModelShelf
    settings: Settings


@contextmanager
def desk_at(home: Path, prepared: Prepared, settings: Settings) -> Iterator[Desk]:
    """A desk in the folder `home`, with everything as it was prepared; removed in the end."""
    home_for(prepared, home)
    store = Store.open(f"sqlite:///{home / 'store.db'}", patience_s=PATIENCE_S)
    try:
        # Whoever is compared is live from the first night on.
        store.change_conditions(partial(replace, launched_at=prepared.world.start))
        yield Desk(home, Lake(home / "lake"), store, ModelShelf(home), settings)
    finally:
        store.close()
        shutil.rmtree(home, ignore_errors=True)


def take_in(
    desk: Desk, prepared: Prepared, events: pl.DataFrame, *, since: datetime, until: datetime
) -> None:
    """What became known since the last decision, by the ingest of everybody's data."""
    is_new = pl.col("known_at").is_between(since, until, closed="left")
    customers = prepared.world.customers.filter(is_new)
    brought = (("customers", CUSTOMERS, customers), ("events", EVENTS, events))
    intakes = tuple(
        Intake.of(name, table, frame, rows=frame.height) for name, table, frame in brought
    )
    ingest(Ingested(intakes, assumptions=()), desk.lake, silently)
    desk.lake.tidy(EVENTS.name)


def models_at(desk: Desk, plan: Plan, *, start: datetime, now: datetime) -> Models:
    """The champions, after training new ones where it is time for that."""
    if plan.trains_anew(start, now):
        learn(desk.home, now, desk.settings)
    desk.shelf.refresh(desk.settings.features)
    return desk.shelf.current


def night(
    desk: Desk, policy: str, models: Models, valuation: Valuation, *, now: datetime
) -> pl.DataFrame:
    """The decisions of one night, by `rescore` as anybody would run it."""
    done = rescore(
        desk.lake,
        desk.store,
        models,
        as_of=now,
        out=desk.home / "rescored",
        settings=desk.settings,
        policy=policy,
        valuation=valuation,
        step=silently,
    )
    decisions = pl.read_parquet(done.folder / "decisions.parquet")
    shutil.rmtree(done.folder)
    return decisions
