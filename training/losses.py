"""How wrong a model is on each test case: the one place that knows how each model is scored.

`examples` of a trained model hold, beside what is listed here, `customer` and `baseline_loss`.

    churn    `label` (1.0 = churned) and every input of the model
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from training.evaluate import Floats, log_losses
from training.model.model import Model
from training.model.score import inputs_of


def churn_losses(model: Model, examples: pl.DataFrame) -> Floats:
    """Log-loss of each row of `examples`."""
    churn = model.probability(inputs_of(model, examples))
    return log_losses(examples.get_column("label").to_numpy(), churn.to_numpy())


LOSSES: Mapping[str, Callable[[Model, pl.DataFrame], Floats]] = {"churn": churn_losses}
