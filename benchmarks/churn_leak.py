"""The trap of churn: overlapping snapshots, stacked, and their rows split at random.

A row of each customer every four weeks, with outcomes of sixty days that overlap; a quarter of the
rows, drawn at random, is what the trees are judged by. They have seen the same customers' other
rows, and outcomes of the very days that they are asked about. Beside it, on the same rows of the
test's dates, the same trees learnt from rows whose outcome was known before.
"""

from __future__ import annotations

import time
from datetime import timedelta

import polars as pl

from benchmarks.churn_peers import plain_trees
from benchmarks.churn_shops import Shop, Tables
from benchmarks.model_rows import Row, less
from training.churn import churn_rows
from training.evaluate import Floats, auc, intervals
from training.settings import TrainingSettings
from training.snapshots import Split

KEY = ["customer_id", "as_of"]
JUDGED = 0.25


def leak_rows(
    shop: Shop,
    tables: Tables,
    dates: Split,
    test: pl.DataFrame,
    honest: Floats,
    settings: TrainingSettings,
) -> list[Row]:
    """What a random split claims; `honest` are the chances of `test` by the split in time."""
    history, customers, features = tables
    every, horizon = (
        timedelta(days=days) for days in (settings.churn.every_days, settings.churn.horizon_days)
    )
    newest, oldest = max(dates.test), min(dates.train)
    stacked = churn_rows(
        history,
        customers,
        [newest - n * every for n in reversed(range((newest - oldest) // every + 1))],
        horizon=horizon,
        known_until=shop.known_until,
        feature_settings=features,
    )
    begun = time.perf_counter()
    drawn = stacked.sample(fraction=1, shuffle=True, seed=settings.churn.seed)
    judged = drawn.head(int(JUDGED * drawn.height))
    chances = plain_trees(drawn.tail(drawn.height - judged.height), judged, settings)
    seconds = time.perf_counter() - begun
    told = judged.select(*KEY, "label").with_columns(claimed=pl.Series(chances))
    known = test.select(KEY).with_columns(honest=pl.Series(honest))
    both = told.join(known, on=KEY, maintain_order="left")

    claimed = intervals(
        {"all": auc(_of(told, "label"), _of(told, "claimed"))},
        told.get_column("customer_id").rank("dense").to_numpy(),
        settings=settings.resampling,
    )
    here, then = (auc(_of(both, "label"), _of(both, name)) for name in ("claimed", "honest"))
    same = intervals(
        {"claimed": here, "honest": then, "leak": less(here, then)},
        both.get_column("customer_id").rank("dense").to_numpy(),
        settings=settings.resampling,
    )
    count = stacked.get_column("as_of").n_unique()
    surely = "a leak" if same["leak"].low > 0 else "no leak shows here"
    method, rows = "LightGBM, random split", f"{both.height:,} rows of the test's dates"
    return [
        Row(shop.name, "churn 60 d", name, "AUC", value, None, spent, note)
        for name, value, spent, note in (
            (
                method,
                claimed["all"],
                seconds,
                f"what it claims, by {told.height:,} random rows of {count} overlapping dates",
            ),
            (f"{method}, test's dates", same["claimed"], None, f"its claim on {rows}"),
            (
                "LightGBM, split by time, same rows",
                same["honest"],
                None,
                f"the same trees on the same {rows}: the random split claims "
                f"{same['leak']} more; {surely}",
            ),
        )
    ]


def _of(rows: pl.DataFrame, name: str) -> Floats:
    values: Floats = rows.get_column(name).to_numpy()
    return values
