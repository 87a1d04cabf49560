"""How well ordered items were foreseen, and how far up the list they stood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

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
    Metric,
    intervals,
    log_losses,
    loss,
    mean,
)
from training.model.items import KEY
from training.settings import ResamplingSettings
from training.trained import Report

# Of all that a customer ordered, of what they had ordered or looked at before, of what was new.
KINDS = {
    "recall": pl.lit(True),
    "known_recall": pl.col("known"),
    "new_recall": ~pl.col("known"),
}


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
    """Log-loss, Brier score and ECE of all candidates, and recall in the `top` of each list.

    `probabilities` and `orders` (of the list, highest first) are by contestant: "model",
    `baseline`, others. Recall is the share of what a customer ordered that the list held, also of
    what was no candidate, averaged over everybody who ordered.
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
        facts={**facts, "candidate_recall": _candidate_recall(cases)},
    )


def _of_candidates(
    cases: Cases, probabilities: Mapping[str, Floats], baseline: str, settings: ResamplingSettings
) -> dict[tuple[str, str], Interval]:
    labels = cases.candidates.get_column("label").to_numpy()
    customers = customer_numbers(cases.candidates).to_numpy()
    lists = cases.candidates.select(pl.struct(KEY).rank("dense").cast(pl.Int64)).to_series()
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
    lists = cases.ordered
    for name, order in orders.items():
        lists = lists.join(
            _top(cases, order, top).with_columns(pl.lit(True).alias(name)),
            on=[*KEY, "item"],
            how="left",
        ).with_columns(pl.col(name).fill_null(False))
    recall = lists.group_by(KEY, maintain_order=True).agg(
        pl.col(name).filter(which).mean().alias(f"{name} {kind}")
        for name in orders
        for kind, which in KINDS.items()
    )
    # Where nobody ordered anything new, there is no recall of new items to speak of.
    metrics = {
        (name, f"{kind}_at_{top}"): _mean_where_known(
            recall.get_column(f"{name} {kind}"), least=0.0
        )
        for name in orders
        for kind in KINDS
        if recall.get_column(f"{name} {kind}").is_not_null().any()
    }
    gain = recall.get_column("model recall") - recall.get_column(f"{baseline} recall")
    metrics["model", f"recall_at_{top}_gain"] = _mean_where_known(gain, least=-1.0)
    return intervals(metrics, customer_numbers(recall).to_numpy(), settings=settings)


def customer_numbers(frame: pl.DataFrame) -> pl.Series:
    """A number for each customer that means nothing outside this frame."""
    return frame.get_column("customer_id").rank("dense").cast(pl.UInt32)


def _top(cases: Cases, order: Floats, top: int) -> pl.DataFrame:
    """The first `top` candidates of each customer; a tie goes to the item first in the alphabet."""
    return (
        cases.candidates.select(*KEY, "item", order=pl.Series(order))
        .sort("order", "item", descending=[True, False])
        .filter(pl.int_range(pl.len()).over(KEY) < top)
        .select(*KEY, "item")
    )


def _mean_where_known(values: pl.Series, *, least: float) -> Metric:
    known = values.is_not_null().cast(pl.Float64).to_numpy()
    parts = sparse.csr_array(np.stack([values.fill_null(0.0).to_numpy(), known]))
    return Metric(parts, _share, least=least, most=1.0)


def _share(sums: Floats) -> Floats:
    """NaN where a draw holds nobody for whom the number is known."""
    unknown = np.full_like(sums[0], np.nan)
    share: Floats = np.divide(sums[0], sums[1], out=unknown, where=sums[1] > 0)
    return share


def _candidate_recall(cases: Cases) -> float | None:
    """What the best order of the candidates could reach if lists had no end."""
    candidates = cases.candidates.select(*KEY, "item", listed=pl.lit(True))
    listed = cases.ordered.join(candidates, on=[*KEY, "item"], how="left").group_by(KEY)
    recall = listed.agg(pl.col("listed").fill_null(False).mean())
    return recall.select(pl.col("listed").mean()).item()  # type: ignore[no-any-return]
