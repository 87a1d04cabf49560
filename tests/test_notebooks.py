"""Notebooks are stories: they run from top to bottom, define nothing and keep no output."""

import ast
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECONDS = 150  # alone it takes less than 20; on a crowded machine it may be many times as long


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_defines_nothing_and_keeps_no_output(file):
    for cell in code_cells(nbformat.read(file, as_version=4)):
        assert not cell.outputs and cell.execution_count is None
        kinds = {type(node) for node in ast.walk(ast.parse(cell.source))}
        assert not kinds & {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda}


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs(file, small_home, tmp_path, monkeypatch):
    shutil.copytree(small_home / "lake", tmp_path / "lake")
    monkeypatch.setenv("ONJE_HOME", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = nbformat.read(file, as_version=4)
    started = datetime.now(UTC)
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": file.parent}},
    )
    client.execute(env=dict(os.environ))
    assert (datetime.now(UTC) - started).total_seconds() < SECONDS
    assert all(cell.execution_count for cell in code_cells(notebook))
    assert (tmp_path / "models").is_dir() or "churn" not in file.stem
