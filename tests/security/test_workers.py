"""Two processes that count together, as BentoML's workers do: what adds up, and what must not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from serving.metrics import FOLDER, forget_the_dead

ROOT = Path(__file__).parents[2]
# One line on stdin ends it; without one it is killed, as a worker may be.
WORKER = """
import sys
from datetime import UTC, datetime, timedelta
from prometheus_client import CollectorRegistry
from serving.metrics import Metrics
from serving.store import Lags
asked, waiting, version, inbox = sys.argv[1:]
metrics = Metrics.on(CollectorRegistry())
now = datetime.now(UTC)
metrics.decisions.labels("wait", "quiet", "false").inc(int(asked))
metrics.waiting.set(int(waiting))
metrics.tell_models({"churn": "1", "send-hour": None})
metrics.tell_models({"churn": version, "send-hour": None})
metrics.tell_store("record", 0.003, True)
metrics.tell_lags(
    Lags(waiting=int(inbox), dead=2, oldest=now - timedelta(seconds=9), published_at=None), now=now
)
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    started = []

    def start(*told):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, *map(str, told)], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ),
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def figure(name, **labels):
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry.get_sample_value(name, labels)


def test_counters_add_up_and_gauges_are_those_of_who_lives(start):
    wait = {"action": "wait", "reason": "quiet", "degraded": "false"}
    first = start(3, 5, "2", 40)
    start(4, 7, "2", 41)
    assert figure("onje_decisions_total", **wait) == 7
    assert figure("onje_store_seconds_count", operation="record") == 2
    assert figure("onje_waiting") == 12
    # All tell of the same store: the last to look is right, and nothing is counted twice.
    assert figure("onje_inbox_waiting") == 41
    assert figure("onje_dead_letters_kept") == 2
    assert figure("onje_model", model="churn", version="2") == 1
    assert figure("onje_model", model="churn", version="1") == 0
    assert figure("onje_model", model="send-hour", version="none") == 1

    first.kill()
    first.wait()
    assert figure("onje_waiting") == 12  # nobody has noticed yet
    forget_the_dead()
    assert figure("onje_waiting") == 7
    assert figure("onje_decisions_total", **wait) == 7  # what was counted stays counted


def test_who_lives_is_not_forgotten(start):
    start(1, 5, "1", 0)
    forget_the_dead()
    assert figure("onje_waiting") == 5


def test_without_a_folder_there_is_nothing_to_forget(monkeypatch):
    monkeypatch.delenv(FOLDER, raising=False)
    forget_the_dead()
