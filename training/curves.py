"""Gain and lift: what is found when only the likeliest are contacted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.evaluate import Floats, Metric, answers_by_score, intervals, ratio
from training.settings import ResamplingSettings


def gain_at(share: float, labels: Floats, scores: Floats) -> Metric:
    """The share of all positives among the `share` of rows with the highest scores.

    Of rows that are tied where the line is drawn, as many are taken as are wanted, all alike.
    ValueError where `share` is not above 0 and below 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}; it lies above 0 and below 1")
    levels, parts = answers_by_score(labels, -scores)

    def of(sums: Floats) -> Floats:
        hits = sums[:levels]
        rows = hits + sums[levels:]
        through = np.cumsum(rows, axis=0)
        room = share * through[-1] - (through - rows)
        taken = np.divide(room, rows, out=np.zeros_like(rows), where=rows > 0).clip(0, 1)
        return ratio((hits * taken).sum(axis=0), hits.sum(axis=0))

    return Metric(parts, of, least=0.0, most=1.0)


def lift_at(share: float, labels: Floats, scores: Floats) -> Metric:
    """How many times as many positives as by drawing lots, among the `share` of highest scores."""
    gain = gain_at(share, labels, scores)
    return Metric(gain.parts, lambda sums: gain.of(sums) / share, least=0.0, most=np.inf)


def gain_table(
    labels: Floats,
    scores: Floats,
    customers: NDArray[np.int64],
    *,
    shares: Sequence[float],
    settings: ResamplingSettings,
) -> pl.DataFrame:
    """One row per share contacted: share, gain and lift, each with `_low` and `_high`."""
    metrics = {
        (share, name): metric(share, labels, scores)
        for share in shares
        for name, metric in (("gain", gain_at), ("lift", lift_at))
    }
    found = intervals(metrics, customers, settings=settings)
    return pl.DataFrame(
        {
            "share": share,
            **{
                column: value
                for name in ("gain", "lift")
                for column, value in zip(
                    (f"{name}_low", name, f"{name}_high"),
                    found[share, name].as_list(),
                    strict=True,
                )
            },
        }
        for share in shares
    )
