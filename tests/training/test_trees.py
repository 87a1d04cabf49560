"""Each setting of trees changes the trees, or what is drawn for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightgbm
import numpy as np
import pytest

from tests.training.drawn import CHURN
from tests.training.grown import rows
from training.settings import TreeSettings
from training.trees import grow

SETTINGS = TreeSettings.model_validate(
    {name: getattr(CHURN, name) for name in TreeSettings.model_fields}
)
OTHER: Mapping[str, Any] = {
    "rounds": 61, "learning_rate": 0.2, "leaves": 4, "rows_in_leaf": 60, "shrinkage": 50.0,
}  # fmt: skip


def scores(settings: TreeSettings) -> list[float]:
    inputs, labels = rows(600, seed=1)
    booster = grow(
        inputs.to_numpy(), labels, names=inputs.columns, monotone=[0, 0], offset=None,
        weights=None, settings=settings,
    )  # fmt: skip
    return np.round(booster.raw(inputs.to_numpy()), 9).tolist()


@pytest.mark.parametrize("name", OTHER)
def test_each_setting_changes_the_trees(name: str) -> None:
    assert scores(SETTINGS) == scores(SETTINGS.model_copy())
    assert scores(SETTINGS) != scores(SETTINGS.model_copy(update={name: OTHER[name]}))


# No tree is drawn by chance, so the seed shows in nothing but what LightGBM was told.
OF_CHANCE: Mapping[str, Any] = {"seed": 2}


@pytest.mark.parametrize("name", OF_CHANCE)
def test_lightgbm_is_told_the_seed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    train = lightgbm.train

    def noting(params: Any, *args: Any, **more: Any) -> Any:
        told.append(params[name])
        return train(params, *args, **more)

    monkeypatch.setattr("training.trees.lgb.train", noting)
    scores(SETTINGS.model_copy(update=OF_CHANCE))
    assert told == [OF_CHANCE[name]]
