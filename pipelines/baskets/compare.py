"""How good lists for the next basket are, of what is bought again and of what is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines.baskets.read import Baskets
from training.affinity_report import customer_numbers
from training.evaluate import Interval, intervals
from training.ranking import list_metrics, mean_where_known, measured_lists
from training.settings import ResamplingSettings

TOPS = (10, 20)
LONGEST = max(TOPS)
ONJE = "Onje"


@dataclass(frozen=True)
class Contest:
    """Metrics by contestant and name (recall@10); Onje's paired gains over each other, likewise."""

    metrics: Mapping[str, Mapping[str, Interval]]
    gains: Mapping[str, Mapping[str, Interval]]


def compared(
    baskets: Baskets, lists: Mapping[str, pl.DataFrame], settings: ResamplingSettings
) -> Contest:
    """`lists` by contestant: customer_id, item, rank; Onje's is among them."""
    metrics: dict[str, dict[str, Interval]] = {name: {} for name in lists}
    gains: dict[str, dict[str, Interval]] = {name: {} for name in lists if name != ONJE}
    for top in TOPS:
        measured = {
            name: measured_lists(baskets.future, found, key=["customer_id"], top=top)
            for name, found in lists.items()
        }
        wanted = {
            (name, metric): value
            for name, table in measured.items()
            for metric, value in list_metrics(table, top=top).items()
        }
        wanted |= {
            (f"{ONJE} over {name}", measure): mean_where_known(
                measured[ONJE].get_column(measure) - measured[name].get_column(measure), least=-1.0
            )
            for name in gains
            for measure in ("recall", "ndcg", "phr")
        }
        customers = customer_numbers(measured[ONJE]).to_numpy()
        for (name, metric), value in intervals(wanted, customers, settings=settings).items():
            if name in metrics:
                metrics[name][metric.replace("_at_", "@")] = value
            else:
                gains[name.removeprefix(f"{ONJE} over ")][f"{metric}@{top}"] = value
    return Contest(metrics, gains)


def as_numbers(contest: Contest, baskets: Baskets, seconds: Mapping[str, float]) -> dict[str, Any]:
    """For machines: Onje's own figures flat, the others under `peers`."""
    result: dict[str, Any] = {
        name: interval.estimate for name, interval in contest.metrics[ONJE].items()
    }
    result |= {
        "intervals": {name: one.as_list() for name, one in contest.metrics[ONJE].items()},
        "customers": baskets.future.get_column("customer_id").n_unique(),
        "items": baskets.history.get_column("item").n_unique(),
        "seconds": round(seconds[ONJE], 2),
        "notes": list(baskets.notes),
    }
    if contest.gains:
        result["peers"] = {
            name: {metric: one.estimate for metric, one in contest.metrics[name].items()}
            | {
                "gain": {metric: one.as_list() for metric, one in gains.items()},
                "seconds": round(seconds[name], 2),
            }
            for name, gains in contest.gains.items()
        }
    return result
