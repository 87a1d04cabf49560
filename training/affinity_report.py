"""How well ordered items were foreseen, and how far up the list they stood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from training.affinity_cases import Cases
from training.calibration import (
    calibration_error,
    highest_of_each,
    observed_to_expected,
    observed_to_expected_among,
)
from training.evaluate import (
    Floats,
    Interval,
    intervals,
    log_losses,
    loss,
    mean,
)
from training.model.items import KEY
from training.ranking import list_metrics, mean_where_known, measured_lists
from training.settings import ResamplingSettings
from training.trained import Report


def report_on_lists(
    cases: Cases,
    probabilities: Mapping[str, Floats],
    orders: Mapping[str, Floats],
    *,
    baseline: str,
    top: int,
    facts: Mapping[str, Any],
    settings: ResamplingSettings,
) -> Report:
    """Log-loss, Brier score and calibration of all candidates; recall, nDCG and hits of each list.

    `probabilities` (of what trees look at) and `orders` (of all that is listed, highest first) are
    by contestant: "model", `baseline`, others. Lists are judged by their first `top` items and by
    all that a customer ordered, also what was no candidate (see training.ranking).
    """
    found = _of_candidates(cases, probabilities, baseline, settings)
    found |= _of_lists(cases, orders, baseline, top, settings)
    metrics: dict[str, dict[str, Interval]] = {name: {} for name in probabilities}
    for (name, metric), interval in found.items():
        metrics[name][metric] = interval
    return Report(
        baseline=baseline,
        metrics=metrics,
        gain=metrics["model"].pop("log_loss_gain"),
        facts={**facts, "candidate_recall": _candidate_recall(cases), "found_by": cases.recall},
    )


def _of_candidates(
    cases: Cases, probabilities: Mapping[str, Floats], baseline: str, settings: ResamplingSettings
) -> dict[tuple[str, str], Interval]:
    scored = cases.candidates.filter("scored")
    labels = scored.get_column("label").to_numpy()
    customers = customer_numbers(scored).to_numpy()
    lists = scored.select(pl.struct(KEY).rank("dense").cast(pl.Int64)).to_series()
    losses = {name: log_losses(labels, given) for name, given in probabilities.items()}
    metrics = {("model", "log_loss_gain"): mean(losses[baseline] - losses["model"])}
    for name, given in probabilities.items():
        metrics[name, "log_loss"] = loss(losses[name], most=np.inf)
        metrics[name, "brier"] = loss((labels - given) ** 2, most=1.0)
        metrics[name, "observed_to_expected"] = observed_to_expected(labels, given)
        first = highest_of_each(lists.to_numpy(), given)
        for chosen, metric in observed_to_expected_among(first, labels, given).items():
            metrics[name, f"observed_to_expected_of_{chosen}"] = metric
    found = intervals(metrics, customers, settings=settings)
    for name, given in probabilities.items():
        found[name, "ece"] = calibration_error(labels, given, customers, settings=settings)
    return found


def _of_lists(
    cases: Cases,
    orders: Mapping[str, Floats],
    baseline: str,
    top: int,
    settings: ResamplingSettings,
) -> dict[tuple[str, str], Interval]:
    measured = {
        name: measured_lists(cases.ordered, _top(cases, order, top), key=KEY, top=top)
        for name, order in orders.items()
    }
    metrics = {
        (name, metric): mean_over_lists
        for name, lists in measured.items()
        for metric, mean_over_lists in list_metrics(lists, top=top).items()
    }
    gain = measured["model"].get_column("recall") - measured[baseline].get_column("recall")
    metrics["model", f"recall_at_{top}_gain"] = mean_where_known(gain, least=-1.0)
    customers = customer_numbers(measured["model"]).to_numpy()
    return intervals(metrics, customers, settings=settings)


def customer_numbers(frame: pl.DataFrame) -> pl.Series:
    """A number for each customer that means nothing outside this frame."""
    return frame.get_column("customer_id").rank("dense").cast(pl.UInt32)


def _top(cases: Cases, order: Floats, top: int) -> pl.DataFrame:
    """The first `top` candidates of each customer; a tie goes to the item first in the alphabet."""
    return (
        cases.candidates.select(*KEY, "item", order=pl.Series(order))
        .sort("order", "item", descending=[True, False])
        .select(*KEY, "item", rank=pl.int_range(1, pl.len() + 1).over(KEY))
        .filter(pl.col("rank") <= top)
    )


def _candidate_recall(cases: Cases) -> float | None:
    """What the best order of the candidates could reach if lists had no end."""
    candidates = cases.candidates.select(*KEY, "item", listed=pl.lit(True))
    listed = cases.ordered.join(candidates, on=[*KEY, "item"], how="left").group_by(KEY)
    recall = listed.agg(pl.col("listed").fill_null(False).mean())
    return recall.select(pl.col("listed").mean()).item()  # type: ignore[no-any-return]
