"""Growing trees: the settings under which LightGBM gives the same model on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm as lgb

from training.evaluate import Floats
from training.model.booster import Booster
from training.settings import TreeSettings

# Under `deterministic` the trees are the same for any number of threads, but threads that wait for
# each other on busy cores are slow: 300,000 rows took 6 s with one and 64 s with two.
THREADS = 1


def grow(
    inputs: Floats,
    labels: Floats,
    *,
    names: Sequence[str],
    monotone: Sequence[int],
    offset: Floats | None,
    weights: Floats | None,
    settings: TreeSettings,
) -> Booster:
    """Trees for P(label = 1) of each row of `inputs` [rows, names], NaN for what is not known.

    `monotone` says of each input whether more of it may never lower (1) or raise (-1) the result.
    With an `offset` (log-odds [rows]) the trees learn what it leaves over, and scoring must add
    it; without one the base rate is in the trees. `weights` say how often each row was seen;
    without them, once. Classes are never balanced: that would cost the
    probabilities their meaning.
    """
    params = {
        "objective": "binary",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.rows_in_leaf,
        "lambda_l2": settings.shrinkage,
        "monotone_constraints": list(monotone),
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": THREADS,
        "verbose": -1,
    }
    data = lgb.Dataset(
        inputs, label=labels, weight=weights, init_score=offset, feature_name=list(names)
    )
    return Booster.from_text(
        lgb.train(params, data, num_boost_round=settings.rounds).model_to_string()
    )
