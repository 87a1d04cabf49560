"""A service never begins an empty store in place of one that is gone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from features.errors import NotReadyError
from pipelines.places import places, refuse_a_lost_store
from pipelines.serve import ROOT


@pytest.fixture
def at(tmp_path):
    return places({"ONJE_HOME": str(tmp_path)})


@pytest.mark.parametrize("made", ["lake", "models"])
def test_where_a_home_was_worked_with_its_store_has_to_be_there(at, made):
    (at.home / made).mkdir()
    with pytest.raises(NotReadyError, match="put it back"):
        refuse_a_lost_store(at)
    (at.home / "store.db").touch()
    refuse_a_lost_store(at)


def test_a_home_of_which_nothing_was_made_yet_may_begin(at):
    refuse_a_lost_store(at)


def test_a_worker_that_starts_without_the_file_leaves_none(at):
    (at.home / "lake").mkdir()
    opening = "from pipelines import service; service.open_here()"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", opening],
        cwd=ROOT, env={**os.environ, "ONJE_HOME": str(at.home)}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode != 0 and "put it back" in run.stderr
    assert not (at.home / "store.db").exists()


def test_onje_serve_leaves_none(at, monkeypatch):
    from pipelines.commands.serve import serve

    (at.home / "models").mkdir()
    monkeypatch.setenv("ONJE_HOME", str(at.home))
    with pytest.raises(NotReadyError):
        serve()
    assert not (at.home / "store.db").exists()
