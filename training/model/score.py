"""What a model reads, out of all that is known."""

from __future__ import annotations

import polars as pl

from features.errors import NotReadyError
from training.model.model import Model


def inputs_of(model: Model, features: pl.DataFrame) -> pl.DataFrame:
    """The model's inputs out of a wider frame, by name.

    A feature that was added since the training does no harm; one that is gone is refused.
    """
    known = set(features.columns)
    missing = [name for name in model.inputs if name not in known]
    if missing:
        raise NotReadyError(
            f"model {model.name} {model.version} needs the inputs {', '.join(model.inputs)}; "
            f"found {', '.join(features.columns)}; missing {', '.join(missing)}; "
            "type `onje train all` to train it on the features there are"
        )
    return features.select(model.inputs)
