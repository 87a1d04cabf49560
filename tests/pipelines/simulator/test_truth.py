"""What is hidden is written as it is, and nobody but simulator and evaluation looks."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import DamagedError, NotReadyError
from pipelines.simulator.size import Size
from pipelines.simulator.truth import hidden, past_of, size_of, truth_of_customers, write_truth
from pipelines.simulator.world import create
from pipelines.simulator.worlds import known_world

ROOT = Path(__file__).parents[3]
SIZE = Size("drift", 120, 4, 1)
START = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def people():
    return create(
        known_world("drift"), customers=120, history_weeks=4, weeks=1, seed=1
    ).truth.population


def test_every_customer_has_a_row_with_all_that_is_hidden(people):
    table = hidden(people)
    assert table["customer_id"].to_list() == people.names.to_list()
    assert {"rhythm", "tastes", "engagement", "thrift", "leaves", "mpp", "gateway"} < set(
        table.columns
    )
    assert (table["engagement"].to_numpy() == people.engagement).all()
    assert table["leaves"].dtype == pl.Datetime("us", "UTC")


def test_what_drifts_is_told_before_and_after(people):
    table = hidden(people)
    before, after = (table[name].to_numpy() for name in ("tastes", "tastes_after"))
    assert (before == people.tastes[0]).all() and (after == people.tastes[1]).all()
    assert not np.array_equal(before, after)


def test_a_disk_that_does_not_take_it_is_told(people, tmp_path):
    (tmp_path / "truth").write_text("not a folder")
    with pytest.raises(NotReadyError, match="truth cannot be written.*ONJE_HOME"):
        write_truth(tmp_path, SIZE, known_world("drift"), people, start=START, past="7 events")


def test_it_is_read_as_it_was_written(people, tmp_path):
    assert size_of(tmp_path) is None and past_of(tmp_path) is None
    write_truth(tmp_path, SIZE, known_world("drift"), people, start=START, past="7 events")
    assert size_of(tmp_path) == SIZE and past_of(tmp_path) == "7 events"
    assert truth_of_customers(tmp_path).equals(hidden(people))
    said = json.loads((tmp_path / "truth" / "world.json").read_text())
    assert "simulated" in said["synthetic"]
    assert said["start"] == START.isoformat()
    assert said["settings"] == known_world("drift").model_dump()
    assert {file.name for file in (tmp_path / "truth").iterdir()} == {
        "world.json", "customers.parquet",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"world": "drift"}'])
def test_a_broken_world_json_says_what_to_do(text, tmp_path):
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "world.json").write_text(text)
    with pytest.raises(DamagedError, match="simulate anew"):
        size_of(tmp_path)


def test_no_other_module_names_the_folder_of_the_truth():
    may_look = ("pipelines/simulator/", "pipelines/evaluation/", "pipelines/commands/simulate.py")
    files = [
        file
        for package in ("features", "training", "serving", "pipelines")
        for file in (ROOT / package).rglob("*.py")
    ]
    looking = {
        place
        for file in files
        if not (place := str(file.relative_to(ROOT))).startswith(may_look)
        and re.search(r"""["'/]truth["'/]""", file.read_text("utf-8"))
    }
    assert not looking
