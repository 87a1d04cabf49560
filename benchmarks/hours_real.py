"""The hour of the next basket on Complete Journey: learnt before October 2017, judged after it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
import polars as pl

from benchmarks.model_rows import OURS, Row
from features.build import features_as_of
from features.history import to_history
from features.localtime import local_of
from features.profiles import hours_as_of
from features.tables import CUSTOMERS, EVENTS, PRODUCTS
from pipelines.ingest.completejourney import TIMEZONE, orders_from, table_of_package
from pipelines.settings import Settings
from training.evaluate import Floats, intervals, loss, mean
from training.model.habits import own_hours
from training.model.hours import day_shares
from training.model.shrinkage import shrunk, smoothed
from training.send_hour import train_send_hour
from training.trained import About

# Midnight in New York.
CUT = datetime(2017, 10, 1, 4, tzinfo=UTC)
DATA, TASK, METRIC = "Complete Journey", "hour of the next basket", "log-loss"
# Of these weights, in baskets, each plain table has the one that is best afterwards.
WEIGHTS = (4.0, 8.0, 12.0, 16.0, 24.0, 32.0, 40.0, 48.0, 64.0)


def real_rows(settings: Settings) -> list[Row]:
    """Ours, the table of all, and the best plainly shrunk table of each household."""
    orders = orders_from(table_of_package("transactions"), table_of_package("products"))
    events = EVENTS.shape(orders.with_columns(known_at="at"))
    history = to_history(events, PRODUCTS.schema.create_empty(), settings=settings.features)
    nobody = CUSTOMERS.schema.create_empty()
    features = settings.features.model_copy(update={"default_timezone": TIMEZONE})

    baskets = _baskets(events)
    people = baskets.select("customer_id").unique().sort("customer_id").with_row_index("row")
    baskets = baskets.join(people, on="customer_id")
    before, after = (baskets.filter(is_it) for is_it in (pl.col("at") < CUT, pl.col("at") >= CUT))
    row, day, hour = (after[name].cast(pl.Int64).to_numpy() for name in ("row", "weekend", "hour"))
    counts = np.zeros((people.height, 24))
    np.add.at(counts, (before["row"].to_numpy(), before["hour"].to_numpy()), 1.0)
    everyone = (counts.sum(axis=0) + 1) / (counts.sum() + 24)

    started = time.perf_counter()
    trained = train_send_hour(
        history.filter(pl.col("at") < CUT),
        nobody,
        PRODUCTS.schema.create_empty(),
        known_until=CUT,
        settings=settings.training,
        feature_settings=features,
        about=About({}, "benchmark", CUT, synthetic=False),
    )
    spine = people.select("customer_id", as_of=pl.lit(CUT).cast(pl.Datetime("us", "UTC")))
    segments = spine.join(
        features_as_of(history, spine, nobody, settings=features),
        on=["customer_id", "as_of"], how="left", maintain_order="left",
    ).get_column("segment")  # fmt: skip
    acts = own_hours(hours_as_of(history, spine, nobody, settings=features), spine)
    ours = -np.log(day_shares(trained.model, acts, segments)[row, day, hour])
    seconds = time.perf_counter() - started

    def best(own: Floats) -> Floats:
        tables = [shrunk(own, everyone, weight)[row, hour] for weight in WEIGHTS]
        return min((-np.log(table) for table in tables), key=lambda lost: float(lost.mean()))

    losses = {
        OURS: ours,
        "one table for all": -np.log(everyone[hour]),
        "a table per household, shrunk": best(counts),
        "the same, smoothed over the clock": best(smoothed(counts, 1.0)),
    }
    found = intervals(
        {name: loss(lost, most=np.inf) for name, lost in losses.items()}
        | {f"gain over {name}": mean(lost - ours) for name, lost in losses.items()},
        row,
        settings=settings.training.resampling,
    )
    return [
        Row(
            DATA, TASK, name, METRIC, found[name],
            None if name == OURS else found[f"gain over {name}"],
            seconds if name == OURS else None,
            f"{len(row):,} baskets of {len(np.unique(row)):,} households",
        )
        for name in losses
    ]  # fmt: skip


def _baskets(events: pl.DataFrame) -> pl.DataFrame:
    """customer_id, at, hour and weekend of each basket by the clock of New York."""
    baskets = events.group_by("customer_id", "order_id").agg(pl.col("at").min())
    zones = pl.Series([TIMEZONE]).new_from_index(0, baskets.height)
    local = local_of(baskets.get_column("at"), zones).dt
    return baskets.with_columns(hour=local.hour().cast(pl.Int64), weekend=local.weekday() >= 6)
