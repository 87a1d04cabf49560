"""A send-hour model made by hand: everybody alike, all hours alike, nothing learnt from clicks."""

from __future__ import annotations

import numpy as np
import polars as pl

from tests.training.drawn import CHURN
from training.evaluate import Floats
from training.model.habits import INPUTS, LOGISTIC
from training.model.model import UNRECORDED, Model
from training.model.shrinkage import EVERYONE, Kinds
from training.trees import grow

EVEN = np.full((1, 2, 24), 1 / 24)


def by_hand(
    *,
    shares: Floats = EVEN,
    common: Floats | None = None,
    weight: float = 8.0,
    exponent: float | None = None,
    low: float | None = None,
    error: float | None = None,
    heard: float = 1_000.0,
) -> Model:
    """`shares` are the kinds of people, `common` [kinds] how common; no smoothing, no trees."""
    count = len(shares)
    kinds = Kinds(
        segments=(EVERYONE, "loyal"),
        shares=shares,
        common=np.tile(np.full(count, 1 / count) if common is None else common, (2, 1)),
        heard=np.array([heard, heard]),
    )
    booster = grow(
        np.zeros((4, len(INPUTS))),
        np.array([0.0, 1.0, 0.0, 1.0]),
        names=INPUTS,
        monotone=[0] * len(INPUTS),
        offset=np.zeros(4),
        weights=None,
        settings=CHURN.model_copy(update={"rounds": 1, "rows_in_leaf": 5}),
    )
    return Model(
        name="send-hour",
        version=UNRECORDED,
        inputs=INPUTS,
        booster=booster,
        tables={
            "shrinkage": pl.DataFrame(
                {
                    "smoothing_hours": [0.0], "other_days": [0.0], "customer_weight": [weight],
                    "segment_weight": [64.0], "telling": [1.0],
                }
            ),
            **kinds.to_tables(),
            "logistic": pl.DataFrame(
                {"input": [*LOGISTIC, ""], "coefficient": [1.0, 0.0, 0.0, -3.0]}
            ),
            "pull": pl.DataFrame(
                {"exponent": [exponent], "low": [low], "error": [error]},
                schema=dict.fromkeys(("exponent", "low", "error"), pl.Float64),
            ),
        },
        about={"evidence": "activity" if exponent is None else "clicks"},
    )  # fmt: skip


def acts_at(*acts: tuple[int, float], customer: str, as_of: object) -> pl.DataFrame:
    """Rows as of features.profiles: so many acts at these hours of weekdays."""
    hours, times = zip(*acts, strict=True)
    return pl.DataFrame(
        {"customer_id": customer, "as_of": as_of, "weekend": False, "hour": hours,
         "acts": times, "echo": 0.0},
        schema={"customer_id": pl.String, "as_of": pl.Datetime("us", "UTC"),
                "weekend": pl.Boolean, "hour": pl.Int8, "acts": pl.Float64, "echo": pl.Float64},
    )  # fmt: skip
