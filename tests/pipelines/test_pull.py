"""What MLflow moves arrives on this machine, and nothing that MLflow does harms it."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from features.errors import NotReadyError
from pipelines.places import places
from pipelines.pull import last_round, registry_seen
from pipelines.pulling import keep_pulling, pull_if_due
from pipelines.serve import ROOT
from serving.metrics import Metrics
from tests.training.test_registry import client_of, promoted, trained
from training.registry import Registry, champions
from training.registry_pull import pull_moved

NAMES = ("churn", "send-hour")
NOW_AND_THEN = timedelta(microseconds=1)
NOBODY_THERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Version 1 serves; version 2 is recorded."""
    home = tmp_path_factory.mktemp("home")
    registry = Registry(home=home, tracking_uri=None)
    registry.record(trained())
    assert promoted(registry).promote
    registry.record(trained(seed=2))
    return home


@pytest.fixture(autouse=True)
def version_one_serves(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MLflow makes files where it stands
    registry = Registry(home=home, tracking_uri=None)
    client_of(registry).set_registered_model_alias("churn", "champion", "1")
    registry.pull("churn")
    (home / "models" / "pulled.json").unlink(missing_ok=True)


def point_in_mlflow(home, version):
    registry = Registry(home=home, tracking_uri=None)
    client_of(registry).set_registered_model_alias("churn", "champion", version)


def serves(home):
    return champions(home)["churn"].name


def test_what_is_moved_in_mlflow_is_brought_here_once(home):
    registry = Registry(home=home, tracking_uri=None)
    point_in_mlflow(home, "2")
    assert pull_moved(registry, NAMES).moved == {"churn": "2"}
    assert serves(home) == "2"
    assert pull_moved(registry, NAMES).moved == {}


def test_what_is_damaged_in_mlflow_is_refused_and_what_serves_stays(home):
    registry = Registry(home=home, tracking_uri=None)
    registry.record(trained(seed=3))
    newest = registry.versions("churn")[0].version
    [trees] = [
        file for file in (home / "artifacts" / "churn").rglob("model.lgb")
        if file.stat().st_mtime == max(
            other.stat().st_mtime for other in (home / "artifacts" / "churn").rglob("model.lgb")
        )
    ]  # fmt: skip
    trees.write_bytes(trees.read_bytes()[:-50])
    point_in_mlflow(home, newest)
    pulled = pull_moved(registry, NAMES)
    assert list(pulled.refused) == ["churn"] and "damaged in MLflow" in pulled.refused["churn"]
    assert serves(home) == "1"


def test_a_server_that_is_gone_is_told_without_its_password(home, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    registry = Registry(home=home, tracking_uri="http://ann:hunter2@127.0.0.1:9")
    with pytest.raises(
        NotReadyError, match=r"MLflow at http://127\.0\.0\.1:9 does not answer"
    ) as e:
        pull_moved(registry, NAMES)
    assert "hunter2" not in str(e.value)
    assert serves(home) == "1"


def environment(home, **more):
    return {"ONJE_HOME": str(home), **more}


def live(seconds):
    service = SimpleNamespace(pull_seconds=seconds)
    current = SimpleNamespace(serving=SimpleNamespace(service=service))
    return SimpleNamespace(
        settings=SimpleNamespace(current=current),
        metrics=Metrics.on(CollectorRegistry()),
        clock=lambda: datetime.now(UTC),
    )


def looks(asked, outcome):
    return asked.metrics.pulls.labels(outcome)._value.get()


def test_a_round_runs_in_a_process_of_its_own_and_again_only_when_there_may_be_news(home):
    at, asked = places(environment(home)), live(60)
    point_in_mlflow(home, "2")
    asyncio.run(pull_if_due(asked, at, every=NOW_AND_THEN))
    assert "mlflow" not in {
        name.partition(".")[0] for name in sys.modules if name == "pipelines.pulling"
    }
    assert (serves(home), looks(asked, "moved")) == ("2", 1)
    done = last_round(home)
    assert (done.moved, done.problem, done.seen) == ({"churn": "2"}, None, registry_seen(at))
    # MLflow's file is as it was: nobody is asked.
    asyncio.run(pull_if_due(asked, at, every=NOW_AND_THEN))
    assert last_round(home) == done
    # It has changed, but another process looked just now.
    point_in_mlflow(home, "1")
    asyncio.run(pull_if_due(asked, at, every=timedelta(hours=1)))
    assert serves(home) == "2"
    asyncio.run(pull_if_due(asked, at, every=NOW_AND_THEN))
    assert serves(home) == "1"


def test_a_server_that_is_gone_is_logged_once_and_counted_each_time(home, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY_THERE)
    at, asked = places(environment(home, MLFLOW_TRACKING_URI=NOBODY_THERE)), live(60)
    with caplog.at_level(logging.ERROR, "onje"):
        for _ in range(2):
            asyncio.run(pull_if_due(asked, at, every=NOW_AND_THEN))
    assert looks(asked, "failed") == 2
    assert len([line for line in caplog.messages if "does not answer" in line]) == 1
    assert serves(home) == "1"


def test_nobody_is_asked_where_the_setting_says_never(home):
    point_in_mlflow(home, "2")

    async def a_while():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(keep_pulling(live(0), places(environment(home))), 0.3)

    asyncio.run(a_while())
    assert serves(home) == "1"
    assert last_round(home) is None


def test_a_puller_ends_with_the_process_that_started_it(home, tmp_path):
    said = tmp_path / "pid"
    script = (
        "import subprocess, sys, pathlib, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'pipelines.pull'])\n"
        f"pathlib.Path({str(said)!r}).write_text(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    env = {**os.environ, **environment(home), "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=env)
    while not said.exists() or not said.read_text():
        time.sleep(0.05)
    time.sleep(1.0)  # until it has asked to end with its parent
    parent.kill()
    parent.wait()
    child = int(said.read_text())
    until = time.monotonic() + 10
    while _lives(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _lives(child)


def _lives(process):
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
