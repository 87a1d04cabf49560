"""Fitting what orders alone say of churn: BG/NBD, and a logistic curve over it and counts."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.optimize import minimize

from training.bgnbd import newest_rhythm
from training.evaluate import Floats
from training.model.model import sigmoid
from training.model.prior import PRIOR, RHYTHM, TERMS, terms_of

# Enough to keep a weight finite where a term happens to be perfect, too weak to be seen else.
RIDGE = 1e-5
INTERCEPT = "intercept"


def fit_prior(rows: pl.DataFrame, labels: Floats, *, days: float) -> dict[str, pl.DataFrame]:
    """The tables PRIOR and, where somebody has ordered twice, RHYTHM.

    The rhythm is learnt from the newest date of `rows` alone (each customer once) and knows no
    label; the curve over it is learnt from all rows.
    """
    rhythm = newest_rhythm(rows)
    found = terms_of(rows, rhythm, days=days)
    names = list(found)
    matrix = np.column_stack([found[name] for name in names])
    centre = np.nanmean(matrix, axis=0)
    scale = np.nanstd(matrix, axis=0)
    scale[scale == 0] = 1.0
    standard = np.nan_to_num((matrix - centre) / scale)
    weights = fit_logistic(standard, labels, rising=[TERMS[name] for name in names])
    table = pl.DataFrame(
        {
            "term": [INTERCEPT, *names],
            "centre": [0.0, *centre.tolist()],
            "scale": [1.0, *scale.tolist()],
            "weight": weights.tolist(),
            "days": [float(days)] * (len(names) + 1),
        }
    )
    return {PRIOR: table} if rhythm is None else {PRIOR: table, RHYTHM: rhythm.as_table()}


def fit_logistic(inputs: Floats, labels: Floats, *, rising: list[bool]) -> Floats:
    """Intercept and one weight for each column of `inputs` [rows, columns] by maximum likelihood.

    Where a column is `rising`, its weight is not below zero: of two columns that say nearly the
    same, one would otherwise be subtracted from the other.
    """
    design = np.column_stack([np.ones(len(inputs)), inputs])

    def loss(weights: Floats) -> tuple[float, Floats]:
        log_odds = design @ weights
        each = np.logaddexp(0.0, log_odds) - labels * log_odds
        slope = design.T @ (sigmoid(log_odds) - labels) / len(labels)
        ridge = np.concatenate([[0.0], 2 * RIDGE * weights[1:]])
        return float(each.mean() + RIDGE * (weights[1:] ** 2).sum()), slope + ridge

    bounds = [(None, None), *((0.0 if is_rising else None, None) for is_rising in rising)]
    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds)
    weights: Floats = found.x
    return weights
