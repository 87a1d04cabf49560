"""Predictions of rewards: never learnt from the customer they are about, and of use to DR."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.errors import DataError
from tests.training.offpolicy.logs import LENIENT
from training.evaluate import Floats
from training.offpolicy.cross_fit import Predict, cross_fitted, logistic, trees
from training.offpolicy.estimators import Estimate, dr, ips
from training.offpolicy.logged import Logged, choosing
from training.settings import TreeSettings

SMALL_TREES = TreeSettings(
    rounds=30, learning_rate=0.1, leaves=7, rows_in_leaf=50, shrinkage=1.0, seed=1
)


def logged(rows: int, *, seed: int) -> tuple[Logged, Floats]:
    """Three arms, drawn alike; arm 2 pays where the feature is high. Features [rows, arms, 1]."""
    random = np.random.default_rng(seed)
    feature = random.uniform(-1, 1, size=rows)
    chosen = random.integers(3, size=rows)
    chance = np.where(chosen == 2, 0.5 + 0.45 * feature, 0.1)
    log = Logged(
        customer=random.integers(rows // 3, size=rows),
        chosen=chosen,
        reward=(random.random(rows) < chance).astype(np.float64),
        propensity=np.full(rows, 1 / 3),
        possible=np.ones((rows, 3), bool),
    )
    return log, np.broadcast_to(feature[:, None, None], (rows, 3, 1))


def test_no_customer_is_predicted_from_their_own_rows() -> None:
    log, features = logged(600, seed=1)
    marked = np.broadcast_to(log.customer[:, None, None].astype(np.float64), (600, 3, 1))
    learnt: list[set[float]] = []
    asked: list[set[float]] = []

    def spy(inputs: Floats, rewards: Floats) -> Predict:
        learnt.append(set(inputs[:, 0]))

        def predict(others: Floats) -> Floats:
            asked.append(set(others[:, 0]))
            return np.zeros(len(others))

        return predict

    folds = 3
    cross_fitted(log, marked, learn=spy, folds=folds, seed=1)
    assert len(learnt) == folds and len(asked) == folds * 3
    for number, theirs in enumerate(asked):
        assert not theirs & learnt[number // 3]
    assert set.union(*asked) == set(log.customer)


def test_a_model_sees_of_each_arm_its_own_features() -> None:
    log, _ = logged(60, seed=8)
    features = 10.0 * np.arange(180).reshape(60, 3, 1)
    predicted = cross_fitted(
        log, features, learn=lambda inputs, rewards: lambda asked: asked @ [1, 1, 2, 3],
        folds=2, seed=1,
    )  # fmt: skip
    assert (predicted == features[..., 0] + [1, 2, 3]).all()
    seen: list[Floats] = []

    def spy(inputs: Floats, rewards: Floats) -> Predict:
        seen.append(inputs)
        return lambda asked: np.zeros(len(asked))

    cross_fitted(log, features, learn=spy, folds=2, seed=1)
    of_chosen = log.of_chosen(features[..., 0])
    assert sorted(np.concatenate(seen)[:, 0]) == sorted(of_chosen)


@pytest.mark.parametrize("learn", [trees(SMALL_TREES), logistic], ids=["trees", "logistic"])
def test_a_model_learns_what_arms_bring(learn) -> None:
    log, features = logged(6000, seed=2)
    predicted = cross_fitted(log, features, learn=learn, folds=2, seed=1)
    assert predicted.shape == (6000, 3)
    assert predicted.mean(axis=0) == pytest.approx([0.1, 0.1, 0.5], abs=0.03)
    if learn is not logistic:
        truth = 0.5 + 0.45 * features[:, 2, 0]
        assert np.corrcoef(predicted[:, 2], truth)[0, 1] > 0.97


def test_a_good_model_makes_the_estimate_more_exact() -> None:
    log, features = logged(6000, seed=3)
    target = choosing("two", np.full(6000, 2), arms=3)
    predicted = cross_fitted(log, features, learn=trees(SMALL_TREES), folds=2, seed=1)
    without, with_model = (
        ips(log, target, settings=LENIENT),
        dr(log, target, predicted, settings=LENIENT),
    )
    assert isinstance(without, Estimate) and isinstance(with_model, Estimate)
    assert with_model.estimate == pytest.approx(0.5, abs=0.03)
    assert with_model.high - with_model.low < 0.8 * (without.high - without.low)


def test_money_is_learnt_too_but_not_as_a_yes_or_no() -> None:
    log, features = logged(3000, seed=4)
    money = replace(log, reward=log.reward * 20)
    predicted = cross_fitted(money, features, learn=trees(SMALL_TREES), folds=2, seed=1)
    assert predicted.mean(axis=0) == pytest.approx([2, 2, 10], abs=1)
    with pytest.raises(DataError, match="rewards of 0 and 1; take `trees`"):
        cross_fitted(money, features, learn=logistic, folds=2, seed=1)


def test_a_log_without_any_reward_is_predicted_to_bring_none() -> None:
    log, features = logged(300, seed=5)
    nothing = replace(log, reward=np.zeros(300))
    assert not cross_fitted(nothing, features, learn=logistic, folds=2, seed=1).any()


def test_more_folds_than_customers_are_refused() -> None:
    log, features = logged(300, seed=6)
    alone = replace(log, customer=np.ones(300, np.int64))
    with pytest.raises(DataError, match="1 customers, 2 folds"):
        cross_fitted(alone, features, learn=logistic, folds=2, seed=1)


def test_the_seed_alone_decides() -> None:
    log, features = logged(600, seed=7)

    def found(seed: int) -> Floats:
        return cross_fitted(log, features, learn=logistic, folds=2, seed=seed)

    assert (found(1) == found(1)).all()
    assert (found(1) != found(2)).any()
