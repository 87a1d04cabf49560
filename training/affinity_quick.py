"""Learning the quick score: a logistic regression on all candidates of a few customers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from training.evaluate import Floats
from training.model.candidates import Candidates
from training.model.quick import INPUTS, quick_inputs

CONSTANT = "constant"


def fit_quick(cases: Sequence[tuple[Candidates, Floats]]) -> pl.DataFrame:
    """`input`, `weight` for training.model.quick, from candidates with their labels (1.0 or 0.0).

    Where all or none was ordered, there is nothing to learn: own orders decide.
    """
    labels = np.concatenate([labels for _, labels in cases])
    if len(np.unique(labels)) < 2:
        rate = float(np.clip(labels.mean() if len(labels) else 0.0, 1e-3, 1 - 1e-3))
        slopes = [float(name in ("often", "popularity")) for name in INPUTS]
        return _table(slopes, float(np.log(rate / (1 - rate))))
    inputs = [quick_inputs(candidates) for candidates, _ in cases]
    rows = np.column_stack([np.concatenate(columns) for columns in zip(*inputs, strict=True)])
    scale = StandardScaler().fit(rows)
    curve = LogisticRegression(max_iter=300).fit(scale.transform(rows), labels)
    slopes = curve.coef_[0] / scale.scale_
    constant = float(curve.intercept_[0] - (slopes * scale.mean_).sum())
    return _table([float(slope) for slope in slopes], constant)


def _table(slopes: Sequence[float], constant: float) -> pl.DataFrame:
    return pl.DataFrame({"input": [*INPUTS, CONSTANT], "weight": [*slopes, constant]})
