"""The quick score: a few multiplications that say which candidates are worth the trees' time."""

from __future__ import annotations

import numpy as np
import polars as pl

from training.model.candidates import Candidates
from training.model.known import Floats

# Weights that fade and popularity are looked at on a logarithmic scale, on which nothing is this.
LEAST_WEIGHT, LEAST_POPULARITY = 0.02, -12.0
RARE = 3.0
CUT = 3.0  # later than three times the own gap is no more due than three times
INPUTS = (
    "own", "lately", "often", "due", "has_gap", "viewed", "popularity", "liked", "together",
    "taste", "category", "orders", "silence",
)  # fmt: skip


def quick_inputs(candidates: Candidates) -> list[Floats]:
    """INPUTS, each [rows]."""
    own = candidates.mine >= 0
    due = candidates.of_own("due_ratio")
    has_gap = ~np.isnan(due)
    silence = np.where(np.isfinite(candidates.own.last_order), candidates.own.last_order, 365.0)
    popularity = candidates.of_item("popularity")
    return [
        own.astype(np.float64),
        np.log(candidates.of_own("weight_30d") + LEAST_WEIGHT),
        np.log(candidates.of_own("weight_120d") + LEAST_WEIGHT),
        np.where(has_gap, np.minimum(due, CUT), 0.0),
        has_gap.astype(np.float64),
        np.log1p(candidates.of_own("views_28d") + RARE * candidates.of_own("carts_28d")),
        np.where(np.isnan(popularity), LEAST_POPULARITY, popularity),
        np.log1p(candidates.found["liked"]),
        np.log1p(candidates.found["together"]),
        np.log1p(candidates.found["taste"]),
        np.log1p(RARE * candidates.found["category_weight"]),
        candidates.of_customer(np.log1p(candidates.own.orders)),
        candidates.of_customer(np.log1p(silence)),
    ]


def quick_scores(candidates: Candidates, weights: pl.DataFrame) -> Floats:
    """Log-odds of each row; `weights` has input and weight, INPUTS and then the constant."""
    *slopes, constant = weights.get_column("weight").to_list()
    scores = np.full(len(candidates.place), constant)
    for slope, numbers in zip(slopes, quick_inputs(candidates), strict=True):
        scores += slope * numbers
    return scores
