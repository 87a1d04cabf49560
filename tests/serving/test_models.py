from __future__ import annotations

import lightgbm
import numpy as np
import polars as pl
import pytest

from serving.models import ModelShelf
from training.model import folder
from training.model.booster import Booster
from training.model.model import Model


def model(seed):
    """A tiny model of its own for each seed."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(200, 2))
    data = lightgbm.Dataset(
        inputs, label=(inputs[:, 0] > 0).astype(float), feature_name=["orders", "silence"]
    )
    params = {"objective": "binary", "num_leaves": 4, "verbose": -1, "num_threads": 1}
    trees = lightgbm.train(params | {"seed": seed}, data, 3).model_to_string()
    booster = Booster.from_text(trees)
    return Model("churn", "unrecorded", ("orders", "silence"), booster, tables={}, about={})


def keep(home, version, seed=1):
    """Save a version of the churn model and let it be the champion."""
    golden = pl.DataFrame({"orders": [0.5, -1.0], "silence": [0.0, 2.0]})
    folder.save(model(seed), golden, home / "models" / "churn" / version)
    point(home, version)


def point(home, version):
    (home / "models" / "churn" / "champion").write_text(f"{version}\n")


def test_without_a_snapshot_there_are_no_models(tmp_path):
    shelf = ModelShelf(tmp_path)
    assert shelf.refresh() == []
    assert set(shelf.current.versions.values()) == {None}


def test_a_moved_pointer_swaps_the_model_and_the_old_one_stays_whole(tmp_path):
    shelf = ModelShelf(tmp_path)
    keep(tmp_path, "1")
    shelf.refresh()
    begun_with = shelf.current
    keep(tmp_path, "2", seed=2)
    shelf.refresh()
    assert (begun_with.churn.version, shelf.current.churn.version) == ("1", "2")
    point(tmp_path, "1")  # rolled back
    shelf.refresh()
    assert shelf.current.churn.version == "1"


def test_nothing_is_loaded_again_while_the_pointer_stays(tmp_path):
    shelf = ModelShelf(tmp_path)
    keep(tmp_path, "1")
    shelf.refresh()
    loaded = shelf.current.churn
    shelf.refresh()
    assert shelf.current.churn is loaded


@pytest.mark.parametrize("damage", ["cut", "missing", "pointed at nothing"])
def test_a_damaged_model_is_refused_once_and_the_one_before_serves(tmp_path, damage):
    shelf = ModelShelf(tmp_path)
    keep(tmp_path, "1")
    shelf.refresh()
    keep(tmp_path, "2", seed=2)
    trees = tmp_path / "models" / "churn" / "2" / "model.lgb"
    if damage == "cut":
        trees.write_bytes(trees.read_bytes()[:-100])
    elif damage == "missing":
        trees.unlink()
    else:
        point(tmp_path, "3")
    assert shelf.refresh() == ["churn"]
    assert shelf.refresh() == []
    assert shelf.current.churn.version == "1"
    assert list(shelf.refused) == ["churn"]
    keep(tmp_path, "4", seed=4)
    assert shelf.refresh() == []
    assert shelf.current.churn.version == "4"
    assert not shelf.refused
