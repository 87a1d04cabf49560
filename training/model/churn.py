"""Churn scores: what orders alone say, what the trees add, and the share of all newcomers."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.model.bgnbd import BgNbd, Rhythms
from training.model.calibrators import calibrated
from training.model.model import Model, sigmoid
from training.model.prior import PRIOR, RHYTHM, prior_log_odds
from training.model.score import inputs_of

# As a table of a model: `days`, and the `share` of those who ordered first so lately.
NEWCOMERS = "newcomers"
# Likewise: `days_since_order`, the longest silence that was learnt from.
SEEN = "seen"


def churn_of(model: Model, features: pl.DataFrame) -> NDArray[np.float64]:
    """P(no order within the horizon) of each row of `features` [rows].

    Of whoever ordered first a few days ago nothing tells one from another yet: all of them have
    the share of those who did so before them. Of whoever is silent for longer than anybody was, at
    least what their rhythm says (BG/NBD). A model without tables is its trees alone.
    """
    inputs = inputs_of(model, features)
    log_odds = model.raw(inputs).to_numpy()
    if PRIOR in model.tables:
        log_odds = log_odds + prior_log_odds(model.tables, inputs)
    churn = _beyond_what_was_seen(model, inputs, sigmoid(calibrated(model.tables, log_odds)))
    if NEWCOMERS not in model.tables:
        return churn
    days, share = (model.tables[NEWCOMERS].get_column(name)[0] for name in ("days", "share"))
    return np.where(inputs.get_column("days_since_first_order").to_numpy() < days, share, churn)


def score_churn(model: Model, features: pl.DataFrame) -> pl.DataFrame:
    """`customer_id`, `as_of` and `churn`: P(no order within the horizon), rows as given.

    Null for whoever has never ordered: there is nothing to lose, and nothing was learnt of them.
    """
    churn = pl.Series("churn", churn_of(model, features), dtype=pl.Float64)
    has_ordered = pl.col("orders") > 0
    return features.select("customer_id", "as_of", churn=pl.when(has_ordered).then(pl.lit(churn)))


def _beyond_what_was_seen(
    model: Model, inputs: pl.DataFrame, churn: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Trees stay where their last row was, and a silence of years would pass for one of months."""
    if SEEN not in model.tables or RHYTHM not in model.tables:
        return churn
    days = model.tables[PRIOR].get_column("days")[0]
    rhythm = BgNbd.from_table(model.tables[RHYTHM]).silent(Rhythms.of(inputs), days)
    longest = model.tables[SEEN].get_column("days_since_order")[0]
    silent = inputs.get_column("days_since_order").to_numpy()
    return np.where(silent > longest, np.fmax(churn, rhythm), churn)
