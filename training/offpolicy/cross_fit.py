"""The reward that a model expects of each arm, never learnt from the customer it is about."""

from __future__ import annotations

from collections.abc import Callable

import lightgbm as lgb
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from features.errors import DataError
from training.evaluate import Floats
from training.offpolicy.logged import Bools, Ints, Logged
from training.settings import TreeSettings
from training.trees import THREADS

Predict = Callable[[Floats], Floats]
Learn = Callable[[Floats, Floats], Predict]


def cross_fitted(log: Logged, features: Floats, *, learn: Learn, folds: int, seed: int) -> Floats:
    """Predicted reward of every arm in every row [rows, arms].

    `features` [rows, arms, anything] describe each arm in each row before the choice; what is the
    same for all arms may be spread over them with numpy's broadcast_to. Customers are dealt into
    folds; the rows of each fold are predicted by a model of the others', so that a prediction is
    independent of what it will be compared with (Chernozhukov et al. 2018). `learn` takes inputs
    [rows, features + arms] (features, then a 1 in the column of the arm) and rewards [rows].
    DataError where there are fewer customers than folds.
    """
    names, whose = np.unique(log.customer, return_inverse=True)
    if len(names) < folds:
        raise DataError(
            f"this log is of {len(names)} customers, {folds} folds of them are asked for; "
            "log more, or ask for fewer folds"
        )
    dealt = np.random.default_rng(seed).permutation(len(names)) % folds
    fold = dealt[whose]
    predicted = np.empty((log.rows, log.arms))
    for number in range(folds):
        held, others = fold == number, fold != number
        predict = learn(_inputs(features, others, log.chosen), log.reward[others])
        for arm in range(log.arms):
            everywhere = np.full(log.rows, arm)
            predicted[held, arm] = predict(_inputs(features, held, everywhere))
    return predicted


def trees(settings: TreeSettings) -> Learn:
    """LightGBM: log-loss for a yes or no, squares for anything else; NaN means not known."""

    def learn(inputs: Floats, rewards: Floats) -> Predict:
        params = {
            "objective": "binary" if _is_yes_or_no(rewards) else "regression",
            "learning_rate": settings.learning_rate,
            "num_leaves": settings.leaves,
            "min_data_in_leaf": settings.rows_in_leaf,
            "lambda_l2": settings.shrinkage,
            "seed": settings.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": THREADS,
            "verbose": -1,
        }
        model = lgb.train(params, lgb.Dataset(inputs, label=rewards), settings.rounds)
        return lambda asked: np.asarray(model.predict(asked, num_threads=THREADS), np.float64)

    return learn


def logistic(inputs: Floats, rewards: Floats) -> Predict:
    """Log-odds that features and arms add to, for a yes or no; no feature may be unknown."""
    if not _is_yes_or_no(rewards):
        raise DataError("a logistic model is for rewards of 0 and 1; take `trees` for others")
    if len(np.unique(rewards)) == 1:
        return lambda asked: np.full(len(asked), rewards[0])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    model.fit(inputs, rewards)
    return lambda asked: np.asarray(model.predict_proba(asked)[:, 1], np.float64)


def _inputs(features: Floats, rows: Bools, arm: Ints) -> Floats:
    """What a model sees of some rows, were `arm` [all rows] chosen there."""
    which, arm = np.flatnonzero(rows), arm[rows]
    arms = np.eye(features.shape[1])[arm]
    inputs: Floats = np.concatenate([features[which, arm], arms], axis=1)
    return inputs


def _is_yes_or_no(rewards: Floats) -> bool:
    return bool(np.isin(rewards, (0.0, 1.0)).all())
