"""Which inputs move a model's answer, and which way: exact Shapley values of its trees (TreeSHAP).

Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for
trees", in LightGBM's own implementation. Used while training only; nothing of it is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import polars as pl

from training.evaluate import Floats
from training.trained import Trained

# Enough for a mean over rows; more would only take longer.
MOST_ROWS = 2_000


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each input adds to the log-odds of each row, [rows, inputs], beside its values."""

    inputs: tuple[str, ...]
    values: Floats
    added: Floats
    rows_are: str

    def table(self, meanings: Mapping[str, str]) -> pl.DataFrame:
        """`input`, `mean_abs` (log-odds), `share` of all that is added, `meaning`; most first."""
        mean_abs = np.abs(self.added).mean(axis=0)
        share = mean_abs / max(mean_abs.sum(), 1e-300)
        return pl.DataFrame({
            "input": self.inputs,
            "mean_abs": mean_abs,
            "share": share,
            "meaning": [meanings.get(name, "") for name in self.inputs],
        }).sort("mean_abs", "input", descending=[True, False])  # fmt: skip


def contributions(trained: Trained) -> Contributions:
    """Of at most MOST_ROWS test cases; of the golden rows, where the cases do not hold the inputs.

    Without a trees' offset they sum, with the trees' mean, to the raw score of each row.
    """
    inputs, examples = trained.model.inputs, trained.examples
    have_inputs = set(inputs) <= set(examples.columns) and not examples.is_empty()
    rows = (examples if have_inputs else trained.golden).select(pl.col(inputs).cast(pl.Float64))
    rows = rows.sample(min(MOST_ROWS, rows.height), seed=1)
    values = rows.to_numpy()
    booster = lgb.Booster(model_str=trained.model.booster.text)
    added = np.asarray(booster.predict(values, pred_contrib=True, num_threads=1), dtype=np.float64)
    return Contributions(
        inputs=inputs,
        values=values,
        added=added[:, :-1],
        rows_are=f"{rows.height:,} {'test cases' if have_inputs else 'golden rows'}",
    )
