"""How well probabilities of a yes or no came true, for a model and for what it has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.calibration import (
    calibration_error,
    observed_to_expected,
    observed_to_expected_by,
)
from training.curves import lift_at
from training.evaluate import Floats, Interval, intervals, log_losses, mean, metrics_of
from training.settings import ResamplingSettings
from training.trained import Report


def report_on(
    contestants: Mapping[str, Floats],
    labels: Floats,
    customers: NDArray[np.int64],
    *,
    baseline: str,
    segments: pl.Series | None,
    facts: Mapping[str, Any],
    settings: ResamplingSettings,
) -> Report:
    """Metrics of every contestant and the gain of "model" over `baseline`, all from the same draws.

    `contestants` holds probabilities [rows] by name, "model" and `baseline` among them; `labels`
    is 0 or 1 [rows], `customers` says whose each row is [rows]. With `segments` [rows], calibration
    in the large is also that of each segment with enough answers.
    """
    metrics = {
        (contestant, name): metric
        for contestant, probabilities in contestants.items()
        for name, metric in metrics_of(labels, probabilities).items()
    }
    for contestant, probabilities in contestants.items():
        metrics[contestant, "observed_to_expected"] = observed_to_expected(labels, probabilities)
        metrics[contestant, "lift_at_10_percent"] = lift_at(0.1, labels, probabilities)
    if segments is not None:
        of_each = observed_to_expected_by(segments, labels, contestants["model"])
        metrics |= {
            ("model", f"observed_to_expected_of_{segment}"): metric
            for segment, metric in of_each.items()
        }
    losses = {name: log_losses(labels, contestants[name]) for name in ("model", baseline)}
    gain = ("model", "gain")
    found = intervals(
        {**metrics, gain: mean(losses[baseline] - losses["model"])}, customers, settings=settings
    )
    by_contestant: dict[str, dict[str, Interval]] = {name: {} for name in contestants}
    for contestant, name in metrics:
        by_contestant[contestant][name] = found[contestant, name]
    for contestant, probabilities in contestants.items():
        by_contestant[contestant]["ece"] = calibration_error(
            labels, probabilities, customers, settings=settings
        )
    return Report(baseline=baseline, metrics=by_contestant, gain=found[gain], facts=facts)
