from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from features.settings import FeatureSettings
from serving.store import Store


@pytest.fixture
def url(store_url):
    return store_url


@pytest.fixture
def store(url):
    store = Store.open(url, patience_s=5.0)
    yield store
    store.close()


@pytest.fixture
def settings():
    written = tomllib.loads((Path(__file__).parents[3] / "onje.toml").read_text("utf-8"))
    return FeatureSettings(**written["features"] | {"category_depth": 1})


@pytest.fixture
def view(store, settings):
    from tests.serving.store.rows import NOW

    return lambda *customer_ids, now=NOW: store.view_of(customer_ids, now=now, settings=settings)
