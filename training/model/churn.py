"""Churn scores: what orders alone say, what the trees add, and the share of all newcomers."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.model.calibrators import calibrated
from training.model.model import Model, sigmoid
from training.model.prior import PRIOR, prior_log_odds
from training.model.score import inputs_of

# As a table of a model: `days`, and the `share` of those who ordered first so lately.
NEWCOMERS = "newcomers"


def churn_of(model: Model, features: pl.DataFrame) -> NDArray[np.float64]:
    """P(no order within the horizon) of each row of `features` [rows].

    Of whoever ordered first a few days ago nothing tells one from another yet: all of them have
    the share of those who did so before them. A model without tables is its trees alone.
    """
    inputs = inputs_of(model, features)
    log_odds = model.raw(inputs).to_numpy()
    if PRIOR in model.tables:
        log_odds = log_odds + prior_log_odds(model.tables, inputs)
    churn = sigmoid(calibrated(model.tables, log_odds))
    if NEWCOMERS not in model.tables:
        return churn
    days, share = (model.tables[NEWCOMERS].get_column(name)[0] for name in ("days", "share"))
    return np.where(inputs.get_column("days_since_first_order").to_numpy() < days, share, churn)


def score_churn(model: Model, features: pl.DataFrame) -> pl.DataFrame:
    """`customer_id`, `as_of` and `churn`: P(no order within the horizon), rows as given."""
    churn = pl.Series("churn", churn_of(model, features), dtype=pl.Float64)
    return features.select("customer_id", "as_of").with_columns(churn)
