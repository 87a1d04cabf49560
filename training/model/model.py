"""A trained model in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.errors import NotReadyError
from training.model.booster import Booster

# Nothing that was counted or fitted is quite sure or quite impossible.
MOST_LOG_ODDS = 12.0
# The version of a model that the registry has not seen yet.
UNRECORDED = "unrecorded"


@dataclass(frozen=True, eq=False)
class Model:
    """Trees, the tables that travel with them, and where they come from.

    `version` is what the registry calls it (UNRECORDED before that). `tables` holds what was
    learnt beside the trees (curves, popular items). `about` is plain JSON: settings, lake
    versions, code version, metrics with intervals, the baseline's, the meaning of each input;
    `feature_settings` are those under which its inputs were described.
    """

    name: str
    version: str
    inputs: tuple[str, ...]
    booster: Booster
    tables: Mapping[str, pl.DataFrame]
    about: Mapping[str, Any]

    def raw(self, frame: pl.DataFrame) -> pl.Series:
        """The log-odds of each row of `frame`, whose columns are `inputs` and nothing else."""
        self._refuse_other_inputs(frame)
        # Polars hands nulls over as NaN, which is how LightGBM writes "not known".
        return pl.Series("raw", self.booster.raw(frame.to_numpy()), dtype=pl.Float64)

    def probability(self, frame: pl.DataFrame, offset: pl.Series | None = None) -> pl.Series:
        """The probability for each row of `frame`; `offset` (log-odds) is added to the trees'."""
        raw = self.raw(frame)
        log_odds = raw if offset is None else raw + offset
        return pl.Series("probability", sigmoid(log_odds.to_numpy()), dtype=pl.Float64)

    def misfit(self, feature_settings: Mapping[str, Any]) -> str | None:
        """What keeps the model from being used under the settings of features; None if it fits.

        `feature_settings` is FeatureSettings as plain JSON. Trees know nothing of how their inputs
        were described: under other settings they are wrong in silence. A model from before this
        was recorded counts as fitting.
        """
        recorded = self.about.get("feature_settings", {})
        others = [name for name in recorded if feature_settings.get(name) != recorded[name]]
        if not others:
            return None
        return (
            f"model {self.name} {self.version} was trained with "
            f"{_listed(f'{name}={recorded[name]}' for name in others)}, settings say "
            f"{_listed(f'{name}={feature_settings.get(name)}' for name in others)}; type "
            "`onje train all --promote` to train it under them, or put [features] in onje.toml back"
        )

    def _refuse_other_inputs(self, frame: pl.DataFrame) -> None:
        """Trees know their inputs by position alone: a swapped column would be silently wrong."""
        retyped = [f"{name} ({kind})" for name, kind in frame.schema.items() if kind != pl.Float64]
        if tuple(frame.columns) == self.inputs and not retyped:
            return
        raise NotReadyError(
            f"model {self.name} {self.version} was trained on other inputs; "
            f"missing: {_listed(n for n in self.inputs if n not in frame.columns)}; "
            f"extra: {_listed(n for n in frame.columns if n not in self.inputs)}; "
            f"not Float64: {_listed(retyped)}; "
            f"expected in this order: {_listed(self.inputs)}; found: {_listed(frame.columns)}; "
            f"type `onje train all` to train it on the inputs there are"
        )


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds as probabilities, without overflow at either end."""
    probabilities: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * log_odds))
    return probabilities


def log_odds_of(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities as log-odds, no further from zero than MOST_LOG_ODDS; NaN stays."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log_odds: NDArray[np.float64] = np.log(probabilities) - np.log1p(-probabilities)
    return np.clip(log_odds, -MOST_LOG_ODDS, MOST_LOG_ODDS)


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"
