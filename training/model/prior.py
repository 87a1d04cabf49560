"""What orders alone say of churn, as log-odds to which the trees of the churn model add the rest.

A logistic curve over BG/NBD's chance of silence, the silence itself and logarithms of counts: few
parts, each of which goes on as it went before where a shop grows older than any row that was
learnt from. Trees cannot do that: beyond their last row they stay where they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.model.bgnbd import BgNbd, Rhythms
from training.model.model import log_odds_of

Floats = NDArray[np.float64]

SILENT = "silent"
# What the logistic curve is made of, and whether more of it may only raise the chance of churn.
TERMS: dict[str, bool] = {
    SILENT: True,
    "silence": True,
    "repeats": False,
    "basket": False,
    "orders_90d": False,
    "orders_30d": False,
}
# Features of the catalog that the terms are made of.
PRIOR_INPUTS = (
    "orders",
    "days_since_order",
    "days_since_first_order",
    "basket_value",
    "orders_90d",
    "orders_30d",
)
# As tables of a model.
RHYTHM, PRIOR = "rhythm", "prior"


def terms_of(features: pl.DataFrame, rhythm: BgNbd | None, *, days: float) -> dict[str, Floats]:
    """The TERMS of each row of `features`, NaN where not known; without a rhythm all but SILENT."""
    of = {name: np.maximum(features.get_column(name).to_numpy(), 0.0) for name in PRIOR_INPUTS}
    found = {
        "silence": np.log1p(of["days_since_order"]),
        "repeats": np.log1p(np.maximum(of["orders"] - 1.0, 0.0)),
        # Of orders without a known price: the term of a basket that costs nothing.
        "basket": np.log1p(np.nan_to_num(of["basket_value"])),
        "orders_90d": np.log1p(of["orders_90d"]),
        "orders_30d": np.log1p(of["orders_30d"]),
    }
    if rhythm is None:
        return found
    silent = rhythm.silent(Rhythms.of(features), days)
    return {SILENT: log_odds_of(silent), **found}


def prior_log_odds(tables: Mapping[str, pl.DataFrame], features: pl.DataFrame) -> Floats:
    """The log-odds of each row [rows] by the tables PRIOR and RHYTHM of a model.

    What is not known counts as average. The terms are added up one after another: the same to the
    last bit for one row and for many.
    """
    prior = tables[PRIOR]
    days = prior.get_column("days")[0]
    rhythm = BgNbd.from_table(tables[RHYTHM]) if RHYTHM in tables else None
    terms = terms_of(features, rhythm, days=days)
    total = np.zeros(features.height)
    for term, centre, scale, weight in zip(
        *(prior.get_column(name).to_list() for name in ("term", "centre", "scale", "weight")),
        strict=True,
    ):
        if term in terms:
            total = total + weight * np.nan_to_num((terms[term] - centre) / scale)
        else:
            total = total + weight
    return total
