"""Fitting BG/NBD by maximum likelihood, in seconds."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.optimize import minimize
from scipy.special import gammaln

from features.errors import NotReadyError
from training.evaluate import Floats
from training.model.bgnbd import BgNbd, Rhythms

# Four numbers need no more customers than this; evenly spaced ones of more are taken.
ENOUGH_CUSTOMERS = 30_000
# Pulls parameters of which the orders say nothing (who never repeats tells of neither a nor b)
# towards 1, by far less than what one customer tells of the others.
RIDGE = 1e-6
BOUNDS = [(-12.0, 12.0)] * 4


def newest_rhythm(rows: pl.DataFrame) -> BgNbd | None:
    """Fitted on the newest `as_of` of `rows`, where each customer comes once, without any label.

    None where nobody has ordered twice: whatever else is known of them has to do.
    """
    try:
        return fit_bgnbd(Rhythms.of(rows.filter(pl.col("as_of") == pl.col("as_of").max())))
    except NotReadyError:
        return None


def fit_bgnbd(rhythms: Rhythms) -> BgNbd:
    """The parameters under which the orders of these customers (one row each) are likeliest.

    NotReadyError where nobody has ordered twice: there is no rhythm to learn.
    """
    step = max(1, -(-len(rhythms.age) // ENOUGH_CUSTOMERS))
    repeats, last, age = (values[::step] for values in (rhythms.repeats, rhythms.last, rhythms.age))
    if not (repeats > 0).any():
        raise NotReadyError(
            f"none of {len(age)} customers has ordered twice, so there is no rhythm to learn; "
            "bring older orders in with `onje ingest`"
        )
    # A customer's age as the unit of time: the parameters are then near 1, whatever the shop.
    unit = float(np.mean(age)) or 1.0
    last, age = last / unit, age / unit

    def loss(logs: Floats) -> float:
        r, alpha, a, b = np.exp(logs)
        shared = gammaln(r + repeats) - gammaln(r) + r * logs[1]
        stays = gammaln(a + b) + gammaln(b + repeats) - gammaln(b) - gammaln(a + b + repeats)
        here = -(r + repeats) * np.log(alpha + age)
        gone = np.where(
            repeats > 0,
            logs[2]
            - np.log(b + np.maximum(repeats, 1.0) - 1.0)
            - (r + repeats) * np.log(alpha + last),
            -np.inf,
        )
        likelihood = shared + stays + np.logaddexp(here, gone)
        return float(RIDGE * (logs**2).sum() - likelihood.mean())

    found = minimize(loss, np.zeros(4), method="L-BFGS-B", bounds=BOUNDS)
    r, alpha, a, b = (float(value) for value in np.exp(found.x))
    return BgNbd(r=r, alpha=alpha * unit, a=a, b=b)
