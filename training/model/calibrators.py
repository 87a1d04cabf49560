"""Corrections of probabilities that were learnt after a model was, as a table that travels with it.

Whatever the kind of a correction, it is kept as a rising curve from log-odds to log-odds.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

# As a table of a model, with the columns `given` and `meant`, both rising.
CALIBRATION = "calibration"


def calibrated(
    tables: Mapping[str, pl.DataFrame], log_odds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`log_odds` corrected, shape kept; as they are where the model needed no correction."""
    if CALIBRATION not in tables:
        return log_odds
    curve = tables[CALIBRATION]
    given, meant = (curve.get_column(name).to_numpy() for name in ("given", "meant"))
    corrected: NDArray[np.float64] = np.interp(log_odds, given, meant)
    return corrected
