from __future__ import annotations

from dataclasses import replace

import lightgbm
import numpy as np
import polars as pl
import pytest

from serving.models import NO_MODELS, ModelShelf
from serving.scores import NEEDED
from tests.serving.histories import FEATURES
from training.model import folder
from training.model.booster import Booster
from training.model.model import Model

DEEPER = FEATURES.model_copy(update={"category_depth": FEATURES.category_depth + 1})


def model(seed, trained_under, **about):
    """A tiny model of its own for each seed."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(200, 2))
    data = lightgbm.Dataset(
        inputs, label=(inputs[:, 0] > 0).astype(float), feature_name=["orders", "silence"]
    )
    params = {"objective": "binary", "num_leaves": 4, "verbose": -1, "num_threads": 1}
    trees = lightgbm.train(params | {"seed": seed}, data, 3).model_to_string()
    about |= {"feature_settings": trained_under.model_dump(mode="json")}
    booster = Booster.from_text(trees)
    return Model("churn", "unrecorded", ("orders", "silence"), booster, tables={}, about=about)


def keep(home, version, seed=1, trained_under=FEATURES):
    """Save a version of the churn model and let it be the champion."""
    golden = pl.DataFrame({"orders": [0.5, -1.0], "silence": [0.0, 2.0]})
    folder.save(model(seed, trained_under), golden, home / "models" / "churn" / version)
    point(home, version)


def point(home, version):
    (home / "models" / "churn" / "champion").write_text(f"{version}\n")


def test_without_a_snapshot_there_are_no_models(tmp_path):
    shelf = ModelShelf(tmp_path)
    assert shelf.refresh(FEATURES) == []
    assert set(shelf.current.versions.values()) == {None}


def test_models_trained_on_synthetic_data_are_named():
    of_a_shop = model(1, FEATURES, synthetic=False)
    from_before, of_a_world = model(1, FEATURES), model(1, FEATURES, synthetic=True)
    models = replace(NO_MODELS, churn=of_a_shop, affinity_product=from_before)
    assert models.synthetic == ()
    assert replace(models, send_hour=of_a_world).synthetic == ("send-hour",)


def test_a_moved_pointer_swaps_the_model_and_the_old_one_stays_whole(tmp_path):
    shelf = ModelShelf(tmp_path)
    keep(tmp_path, "1")
    shelf.refresh(FEATURES)
    begun_with = shelf.current
    keep(tmp_path, "2", seed=2)
    shelf.refresh(FEATURES)
    assert (begun_with.churn.version, shelf.current.churn.version) == ("1", "2")
    point(tmp_path, "1")  # rolled back
    shelf.refresh(FEATURES)
    assert shelf.current.churn.version == "1"


def test_nothing_is_loaded_again_while_the_pointer_stays(tmp_path):
    shelf = ModelShelf(tmp_path)
    keep(tmp_path, "1")
    shelf.refresh(FEATURES)
    loaded = shelf.current.churn
    shelf.refresh(FEATURES)
    assert shelf.current.churn is loaded


def test_a_model_that_was_refused_is_told_from_one_that_there_never_was(tmp_path):
    shelf = ModelShelf(tmp_path)
    for name in ("churn", "response-click"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "champion").write_text("1")
    shelf.refresh(FEATURES)
    # Without response-click the merchant's figures hold, unless there is one that cannot be used.
    assert shelf.current.refused == ("churn", "response-click")
    assert shelf.current.missing == (*NEEDED, "response-click")
    told = ", ".join(shelf.current.missing_told)
    assert told.startswith("churn (refused; `onje doctor` says why), send-hour, ")
    assert told.endswith(", response-click (refused; `onje doctor` says why)")
    keep(tmp_path, "2")
    shelf.refresh(FEATURES)
    assert shelf.current.refused == ("response-click",)


@pytest.mark.parametrize("damage", ["cut", "missing", "pointed at nothing"])
def test_a_damaged_model_is_refused_once_and_the_one_before_serves(tmp_path, damage):
    shelf = ModelShelf(tmp_path)
    keep(tmp_path, "1")
    shelf.refresh(FEATURES)
    keep(tmp_path, "2", seed=2)
    trees = tmp_path / "models" / "churn" / "2" / "model.lgb"
    if damage == "cut":
        trees.write_bytes(trees.read_bytes()[:-100])
    elif damage == "missing":
        trees.unlink()
    else:
        point(tmp_path, "3")
    assert shelf.refresh(FEATURES) == ["churn"]
    assert shelf.refresh(FEATURES) == []
    assert shelf.current.churn.version == "1"
    assert list(shelf.refused) == ["churn"]
    keep(tmp_path, "4", seed=4)
    assert shelf.refresh(FEATURES) == []
    assert shelf.current.churn.version == "4"
    assert not shelf.refused


def test_a_model_of_other_feature_settings_is_refused_while_they_are_in_force(tmp_path):
    shelf = ModelShelf(tmp_path)
    keep(tmp_path, "1")
    shelf.refresh(FEATURES)
    assert shelf.current.churn.version == "1"
    assert shelf.refresh(DEEPER) == ["churn"]
    assert shelf.refresh(DEEPER) == []
    assert shelf.current.missing == NEEDED
    assert "category_depth" in shelf.refused["churn"]
    assert shelf.refresh(FEATURES) == []
    assert (shelf.current.churn.version, shelf.refused) == ("1", {})


def test_a_champion_that_does_not_fit_leaves_its_place_to_the_one_before(tmp_path):
    shelf = ModelShelf(tmp_path)
    keep(tmp_path, "1")
    shelf.refresh(FEATURES)
    keep(tmp_path, "2", seed=2, trained_under=DEEPER)
    assert shelf.refresh(FEATURES) == ["churn"]
    assert shelf.current.churn.version == "1"
    shelf.refresh(DEEPER)
    assert (shelf.current.churn.version, shelf.refused) == ("2", {})
    shelf.refresh(FEATURES)  # the pointer names 2, and what does not serve now does not come back
    assert shelf.current.churn is None


def test_between_new_settings_and_the_judgement_of_the_models_rules_stand_in(tmp_path):
    shelf = ModelShelf(tmp_path)
    keep(tmp_path, "1")
    shelf.refresh(FEATURES)
    assert shelf.under(FEATURES.model_copy()) is shelf.current
    assert shelf.under(DEEPER).churn is None
