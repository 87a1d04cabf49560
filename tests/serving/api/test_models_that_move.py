"""Promotion and rollback while clients ask: nobody fails, and each answer is by one model."""

from __future__ import annotations

import json
from itertools import groupby
from time import monotonic

import lightgbm
import numpy as np
import polars as pl
import pytest

from features.settings import FeatureSettings
from pipelines.effective import read_settings
from tests.serving.api.service import SETTINGS_FILE, running
from training.model import folder
from training.model.booster import Booster
from training.model.model import Model

INPUTS = ("orders", "days_since_order")
CLIENTS = 8
WITHIN_S = 5.0


def keep(home, version, features: FeatureSettings, *, leans):
    """A churn model of two features that `leans` one way."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(200, 2)).clip(-3, 3)
    data = lightgbm.Dataset(values, label=(values[:, 0] * leans > 0), feature_name=list(INPUTS))
    params = {"objective": "binary", "num_leaves": 4, "verbose": -1, "num_threads": 1, "seed": 1}
    booster = Booster.from_text(lightgbm.train(params, data, 3).model_to_string())
    about = {"feature_settings": features.model_dump(mode="json")}
    model = Model("churn", "unrecorded", INPUTS, booster, tables={}, about=about)
    golden = pl.DataFrame(dict(zip(INPUTS, ([1.0, 2.0], [0.5, 3.0]), strict=True)))
    folder.save(model, golden, home / "models" / "churn" / version)


def point(home, version):
    pointer = home / "models" / "churn" / "champion"
    unfinished = pointer.with_name(".champion")
    unfinished.write_text(version)
    unfinished.replace(pointer)


@pytest.fixture
def home(tmp_path):
    features = read_settings(SETTINGS_FILE, []).features
    keep(tmp_path, "1", features, leans=1)
    keep(tmp_path, "2", features, leans=-1)
    point(tmp_path, "1")
    return tmp_path


def version_of(service, answer):
    found = service.get(f"/v1/decisions/{answer['decision_id']}").json()
    versions = found["receipt"]["versions"]
    return (json.loads(versions) if isinstance(versions, str) else versions)["models"]["churn"]


def ask(service, numbers):
    calls = [
        ("POST", "/v1/decide", {"request_id": f"r-{next(numbers)}", "customer_id": f"c{client}"})
        for client in range(CLIENTS)
    ]
    answers = service.at_once(calls)
    assert [answer.status_code for answer in answers] == [200] * CLIENTS
    return [answer.json() for answer in answers]


def test_promoting_and_rolling_back_under_load_fails_nobody_and_mixes_no_models(home):
    patches = [{"service": {"reload_seconds": 2.0}}]  # as it is delivered
    with running(home, patches=patches) as service:
        numbers = iter(range(10**6))
        answers = ask(service, numbers)
        for version in ("2", "1"):
            point(home, version)
            moved = monotonic()
            while version_of(service, (latest := ask(service, numbers))[-1]) != version:
                answers += latest
                assert monotonic() - moved < WITHIN_S
            answers += latest + ask(service, numbers)
        versions = [version_of(service, answer) for answer in answers]
    assert [version for version, _ in groupby(versions)] == ["1", "2", "1"]
