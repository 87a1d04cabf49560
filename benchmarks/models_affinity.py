"""Affinity beside what everybody and what the customer buys, TIFU-KNN, UP-CF, item-kNN and ALS.

`python -m benchmarks.models_affinity` prints the table. Protocol: one moment; everything is learnt
from what was known before it and judged by what customers order within the horizon after it; every
item ordered before may be on a list. Recall is hits / min(list, ordered items): by that definition
own frequency reaches .55 of categories and .26 of products on Complete Journey, where hits /
ordered items, which the models' cards show, gives .30 and .17. Intervals are 95 %, by customer.
"""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.model_rows import OURS, Row, Step, as_markdown
from features.history import to_history
from features.items import Item, items_as_of
from features.settings import FeatureSettings
from features.tables import HISTORY, PRODUCTS
from pipelines.baskets import peers
from pipelines.baskets.tifu import JUDGES, tifu, tuned
from pipelines.baskets.upcf import up_cf
from pipelines.console import silently
from pipelines.ingest import completejourney
from training.affinity import NAMES, by_frequency, learn_affinity
from training.affinity_cases import Moment, cases_of, limits_of, moments_of
from training.affinity_report import customer_numbers
from training.evaluate import Interval, intervals, log_losses, loss, mean
from training.model.candidates import INPUTS
from training.model.items import score_items
from training.model.model import UNRECORDED, Model
from training.ranking import mean_where_known, measured_lists
from training.settings import AffinitySettings, ResamplingSettings, TrainingSettings

SETTINGS = Path(__file__).parents[1] / "onje.toml"
OWN_FREQUENCY = "P-Top (own frequency)"
TIFU = "TIFU-KNN, tuned"
# Customers times items by which TIFU-KNN is tuned: with all 1,000 of 65,000 products it took longer
# than all other methods together.
MOST_JUDGED = 16_000_000


def judges_of(known: peers.Coded) -> int:
    """At most how many customers TIFU-KNN is tuned by: those of them who ordered twice."""
    return min(JUDGES, MOST_JUDGED // len(known.items), len(known.customers))


METHODS: dict[str, Callable[[peers.Coded], peers.Scorer]] = {
    OWN_FREQUENCY: peers.p_top,
    "G-Top": peers.g_top,
    "GP-Top": peers.gp_top,
    TIFU: lambda known: tifu(known, tuned(known, judges=judges_of(known))),
    "UP-CF": up_cf,
    "item-kNN (implicit)": peers.item_knn,
    "ALS (implicit)": peers.als,
}
MEASURES = ("recall", "ndcg", "phr", "repeat_recall", "explore_recall")
EVERY_DAYS = 14


@dataclass(frozen=True)
class Task:
    """Whose `item` within `horizon_days` of `at`, on lists of `top`."""

    data: str
    item: Item
    at: datetime
    horizon_days: int
    top: int


JOURNEY, RETAIL = "Complete Journey", "Online Retail"
TASKS = (
    Task(JOURNEY, "category", datetime(2017, 12, 4, tzinfo=UTC), 14, 10),
    Task(JOURNEY, "product_id", datetime(2017, 12, 4, tzinfo=UTC), 14, 20),
    Task(RETAIL, "product_id", datetime(2011, 8, 31, tzinfo=UTC), 30, 20),
)


def rows(step: Step) -> list[Row]:
    """The lines of all tasks; a data set that is not there is left out and told on the way."""
    written = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))
    features = FeatureSettings.model_validate(written["features"])
    settings = TrainingSettings.model_validate(written["training"])
    read: Mapping[str, Callable[[FeatureSettings], pl.DataFrame | None]] = {
        JOURNEY: complete_journey,
        RETAIL: lambda _: online_retail(),
    }
    found: list[Row] = []
    histories = {name: made(features) for name, made in read.items()}
    for done, task in enumerate(TASKS):
        step("affinity", done, len(TASKS))
        history = histories[task.data]
        if history is not None:
            found += _task(task, history, settings, features)
    step("affinity", len(TASKS), len(TASKS))
    return found


def complete_journey(settings: FeatureSettings) -> pl.DataFrame:
    """The demo's grocer."""
    ingested = completejourney.read()
    return to_history(ingested.events, ingested.products, settings=settings)


def online_retail() -> pl.DataFrame | None:
    """The wholesaler's paid lines of known customers, up to 2011-09; None if absent."""
    folder = os.environ.get("ONJE_SHARED_DATA") or SETTINGS.parent.parent / "shared" / "data"
    file = Path(folder) / "online_retail_uci" / "online_retail_to_2011_09.parquet"
    if not file.is_file():
        return None
    at = pl.col("InvoiceDate").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    lines = pl.read_parquet(file).filter(
        pl.col("CustomerID").is_not_null(),
        ~pl.col("InvoiceNo").str.starts_with("C"),
        pl.col("Quantity") > 0,
        pl.col("UnitPrice") > 0,
    )
    return HISTORY.shape(
        lines.with_row_index("line").select(
            customer_id=pl.col("CustomerID").cast(pl.String),
            event_id=pl.col("line").cast(pl.String),
            at=at,
            known_at=at,
            kind=pl.lit("order"),
            channel=pl.lit("web"),
            order_id="InvoiceNo",
            product_id="StockCode",
            quantity=pl.col("Quantity").cast(pl.Float64),
        )
    )


def _task(
    task: Task, history: pl.DataFrame, settings: TrainingSettings, features: FeatureSettings
) -> list[Row]:
    chosen = settings.affinity.model_copy(
        update={"horizon_days": task.horizon_days, "every_days": EVERY_DAYS}
    )
    start = time.perf_counter()
    ours, test, note, losses = _ours(task, history, chosen, features)
    lists, seconds, notes = {OURS: ours}, {OURS: time.perf_counter() - start}, {OURS: note}
    wanted = test.ordered.select("customer_id", "item", "repeat")
    known = _coded(history, task)
    notes[TIFU] = f"tuned by the last orders of at most {judges_of(known):,} customers"
    asked = np.searchsorted(
        known.customers.to_numpy(), wanted.get_column("customer_id").unique().sort().to_numpy()
    )
    for name, made in METHODS.items():
        start = time.perf_counter()
        lists[name] = peers.best(made(known), asked.astype(np.int64), known, top=task.top)
        seconds[name] = time.perf_counter() - start
    found = _rows(task, lists, wanted, seconds, notes, settings.resampling)
    if task.item == "category":
        found += _loss_rows(task, losses, settings.resampling)
    return found


Losses = tuple[pl.Series, Mapping[str, np.ndarray[tuple[int], np.dtype[np.float64]]]]


def _ours(
    task: Task, history: pl.DataFrame, chosen: AffinitySettings, features: FeatureSettings
) -> tuple[pl.DataFrame, Moment, str, Losses]:
    """Onje's lists, the test moment, microseconds per customer, log-losses by customer."""
    horizon, every = timedelta(days=task.horizon_days), timedelta(days=EVERY_DAYS)
    train_dates = [task.at - horizon - n * every for n in range(chosen.train_snapshots)]
    shelf = PRODUCTS.schema.create_empty()
    train, (test,) = (
        moments_of(
            history,
            shelf,
            sorted(dates),
            item=task.item,
            known_until=task.at + horizon,
            settings=chosen,
            feature_settings=features,
        )
        for dates in (train_dates, [task.at])
    )
    limits = limits_of(chosen, features)
    learnt = learn_affinity(train, limits, chosen)
    tables = {**test.tables, "quick": learnt.quick, "candidates": pl.DataFrame([asdict(limits)])}
    model = Model(NAMES[task.item], UNRECORDED, INPUTS, learnt.booster, tables, about={})
    spine = test.spine
    items = items_as_of(history, spine, item=task.item, settings=features)
    score_items(model, items, spine.head(1), shelf=None)  # tables become arrays once
    start = time.process_time()
    scores = score_items(model, items, spine, shelf=None)
    each = (time.process_time() - start) / spine.height
    lists = scores.filter(pl.col("rank") <= task.top).select(
        "customer_id", "item", pl.col("rank").cast(pl.Int64)
    )
    cases = cases_of([test], learnt.quick, limits, with_recall=True)
    scored = cases.candidates.filter("scored")
    labels = scored.get_column("label").to_numpy()
    losses = {
        OURS: log_losses(labels, model.probability(scored.select(INPUTS)).to_numpy()),
        "logistic on own frequency": log_losses(
            labels, by_frequency(learnt.cases.candidates.filter("scored"), scored)
        ),
    }
    sources = ", ".join(f"{name} {share:.2f}" for name, share in cases.recall.items())
    note = f"{1e6 * each:.0f} µs CPU per customer; found by {sources}"
    return lists, test, note, (customer_numbers(scored), losses)


def _coded(history: pl.DataFrame, task: Task) -> peers.Coded:
    """What everybody had ordered, order by order, the newest first."""
    orders = (
        history.filter(
            pl.col("kind") == "order", pl.col("at") < task.at, pl.col(task.item).is_not_null()
        )
        .select("customer_id", "order_id", "at", item=task.item)
        .with_columns(at=pl.col("at").max().over("customer_id", "order_id"))
        .unique()
    )
    newest = pl.struct("at", "order_id").rank("dense", descending=True).over("customer_id")
    return peers.coded(orders.select("customer_id", "item", back=newest.cast(pl.Int64)))


def _rows(
    task: Task,
    lists: Mapping[str, pl.DataFrame],
    wanted: pl.DataFrame,
    seconds: Mapping[str, float],
    notes: Mapping[str, str],
    settings: ResamplingSettings,
) -> list[Row]:
    key = ["customer_id"]
    sizes = wanted.group_by(key, maintain_order=True).agg(
        pl.len(), repeat_len=pl.col("repeat").sum(), explore_len=(~pl.col("repeat")).sum()
    )
    measured = {}
    for name, found in lists.items():
        table = measured_lists(wanted, found, key=key, top=task.top)
        table = table.join(sizes, on=key, how="left", maintain_order="left")
        measured[name] = table.with_columns(
            pl.col(f"{kind}recall") * pl.max_horizontal(1.0, pl.col(f"{kind}len") / task.top)
            for kind in ("", "repeat_", "explore_")
        )
    customers = customer_numbers(measured[OURS]).to_numpy()
    metrics = {
        (name, one): mean_where_known(table.get_column(one), least=0.0)
        for name, table in measured.items()
        for one in MEASURES
    } | {
        (f"gain {name}", one): mean_where_known(
            measured[OURS].get_column(one) - table.get_column(one), least=-1.0
        )
        for name, table in measured.items()
        if name != OURS
        for one in MEASURES
    }
    value: Mapping[tuple[str, str], Interval] = intervals(metrics, customers, settings=settings)
    return [
        Row(
            data=task.data,
            task=f"{task.item.removesuffix('_id')} within {task.horizon_days} d",
            method=name,
            metric=f"{one.replace('_', ' ')}@{task.top}",
            value=value[name, one],
            gain=value.get((f"gain {name}", one)),
            seconds=seconds[name],
            note=notes.get(name, "") if one == MEASURES[0] else "",
        )
        for one in MEASURES
        for name in lists
    ]


def _loss_rows(task: Task, losses: Losses, settings: ResamplingSettings) -> list[Row]:
    customers, by_method = losses
    metrics = {name: loss(values, most=np.inf) for name, values in by_method.items()}
    gains = {name: mean(values - by_method[OURS]) for name, values in by_method.items()}
    value = intervals(metrics, customers.to_numpy(), settings=settings)
    gain = intervals(gains, customers.to_numpy(), settings=settings)
    return [
        Row(
            data=task.data,
            task=f"P(order of a category within {task.horizon_days} d)",
            method=name,
            metric="log-loss",
            value=value[name],
            gain=None if name == OURS else gain[name],
            seconds=None,
            note="of the candidates that trees look at" if name == OURS else "",
        )
        for name in by_method
    ]


if __name__ == "__main__":
    print(as_markdown(rows(silently)))
