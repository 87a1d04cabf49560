"""Models of two inputs, grown from rows whose truth is known."""

from __future__ import annotations

import numpy as np
import polars as pl

from tests.training.drawn import CHURN
from training.evaluate import Floats
from training.model.model import UNRECORDED, Model, sigmoid
from training.trees import grow

INPUTS = ("days_since_order", "orders")


def rows(count: int, *, seed: int) -> tuple[pl.DataFrame, Floats]:
    """Inputs of which only the first matters, some not known, and what came of them (0 or 1)."""
    random = np.random.default_rng(seed)
    inputs = pl.DataFrame(
        {"days_since_order": random.normal(size=count), "orders": random.normal(size=count)}
    )
    happens = sigmoid(2 * inputs["days_since_order"].to_numpy() - 1)
    gaps = pl.int_range(pl.len()) % 10 == 0
    with_gaps = inputs.with_columns(orders=pl.when(~gaps).then("orders"))
    return with_gaps, (random.random(count) < happens).astype(np.float64)


def model(*, name: str = "churn", misled: bool = False, seed: int = 1) -> Model:
    """A model of 1,000 rows; a misled one learnt the opposite of what is true."""
    inputs, labels = rows(1000, seed=seed)
    booster = grow(
        inputs.to_numpy(),
        1 - labels if misled else labels,
        names=INPUTS,
        monotone=[0, 0],
        offset=None,
        weights=None,
        settings=CHURN,
    )
    return Model(
        name=name,
        version=UNRECORDED,
        inputs=INPUTS,
        booster=booster,
        tables={"curve": pl.DataFrame({"hour": [9, 10], "share": [0.4, 0.6]})},
        about={"code_version": "test"},
    )
