"""The history of a simulated world into a lake, by the same ingest as anybody's data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from features.errors import NotReadyError
from features.hashing import BUCKETS, bucket_of
from features.lake import Lake
from features.tables import CUSTOMERS, EVENTS, PRODUCTS
from pipelines.console import Step, silently
from pipelines.ingest.ingested import Ingested, Intake
from pipelines.ingest.into_lake import store
from pipelines.simulator.luck import luck
from pipelines.simulator.measure import MAIL_COLUMNS, MAIL_KINDS
from pipelines.simulator.past_mail import send_history
from pipelines.simulator.run import begin
from pipelines.simulator.size import Size
from pipelines.simulator.truth import past_of, size_of, write_truth
from pipelines.simulator.world import World, create
from pipelines.simulator.worlds import known_world

ASSUMPTIONS = ("Everything is simulated: no customer, order or click of it is real.",)
# The lake rests in buckets and a merge reads and locks those it touches: blocks of whole buckets
# never read what an earlier block wrote, and hold an eighth of the events in memory.
BLOCKS = 8


@dataclass(frozen=True)
class Stored:
    """What a simulation brought: its events, each counted once, and how many were new."""

    start: datetime
    events: int
    new_events: int


def refuse_other_data(home: Path, lake: Lake, size: Size) -> None:
    """NotReadyError where the home holds another world, or somebody's data."""
    held = size_of(home)
    if held == size:
        return
    if held is not None:
        raise NotReadyError(
            f"{home} holds the simulated world {held}, and you ask for {size}; "
            "set ONJE_HOME to a new folder for it"
        )
    if tables := lake.versions():
        raise NotReadyError(
            f"the lake in {home} holds {', '.join(tables)} that are not simulated; a world would "
            "be mixed with them: set ONJE_HOME to a new folder"
        )


def simulate(home: Path, lake: Lake, size: Size, *, step: Step) -> Stored:
    """A world, its past until the evaluation would start, its truth; twice the same adds nothing.

    Whoever is killed in between types the same again: what is missing is added.
    """
    refuse_other_data(home, lake, size)
    settings = known_world(size.world)
    doing = "a shop, its customers, their past"
    step(doing, 0, 3)
    world = create(
        settings, customers=size.customers, history_weeks=size.weeks, weeks=0, seed=size.seed
    )
    step(doing, 1, 3)
    run = begin(world)
    send_history(world, run)
    step(doing, 2, 3)
    events = run.events(world.start)
    past = _mark_of(events)
    if past_of(home) not in (None, past):
        raise NotReadyError(
            f"{home} holds {size} as another version of Onje made it; one must not be mixed with "
            "the other: set ONJE_HOME to a new folder"
        )
    write_truth(home, size, settings, world.truth.population, start=world.start, past=past)
    step(doing, 3, 3)
    return into_lake(world, events, lake, step=step)


def _mark_of(events: pl.DataFrame) -> str:
    """A short text that another past would hardly share."""
    numbers = events.select(
        pl.len(),
        pl.col("at", "known_at").to_physical().sum(),
        pl.col("amount").sum().cast(pl.String),
        luck=pl.lit(float(luck(events["event_id"], "mark", seed=0).sum())).round(2),
    )
    return " ".join(str(number) for number in numbers.row(0))


def into_lake(world: World, events: pl.DataFrame, lake: Lake, *, step: Step) -> Stored:
    """Block by block of customers; what is on the shelf and who there is comes first."""
    doing = "writing to the lake"
    known = world.customers.filter(pl.col("known_at") < world.start)
    step(doing, 0, BLOCKS)
    first = [("products", PRODUCTS, world.products), ("customers", CUSTOMERS, known)]
    stored = Stored(world.start, 0, 0)
    for place, block in enumerate(_blocks(events)):
        brought = [*(first if place == 0 else ()), ("events", EVENTS, block)]
        intakes = tuple(
            Intake.of(name, table, frame, rows=frame.height) for name, table, frame in brought
        )
        report = store(Ingested(intakes, ASSUMPTIONS), lake, silently)
        stored = Stored(
            world.start,
            stored.events + block["event_id"].n_unique(),
            stored.new_events + report.stored[EVENTS.name].inserted,
        )
        step(doing, place + 1, BLOCKS)
    return stored


def mails_in(lake: Lake) -> pl.DataFrame:
    """What the lake knows of mails and the answers to them, as `measure.compared` reads it."""
    rows = lake.scan(EVENTS.name).filter(pl.col("kind").is_in(MAIL_KINDS))
    return rows.select(MAIL_COLUMNS).collect()


def _blocks(events: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The events of an eighth of the buckets each; together all of them."""
    customers = events["customer_id"].unique()
    blocks = pl.Series([bucket_of(customer) * BLOCKS // BUCKETS for customer in customers])
    placed = pl.DataFrame({"customer_id": customers, "block": blocks.cast(pl.Int8)})
    for block in range(BLOCKS):
        theirs = placed.filter(pl.col("block") == block)["customer_id"]
        yield events.filter(pl.col("customer_id").is_in(theirs.implode()))
