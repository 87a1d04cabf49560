"""Each setting of `[service]` changes how the service uses its machine."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest

from serving.store import StoreUnavailable, decided
from tests.serving.api.service import NOON, SETTINGS_FILE, publish, running

ROOT = Path(__file__).parents[3]
TOLD = """
import json
from pipelines.service import Onje
print(json.dumps([Onje.config["workers"], Onje.config["traffic"]["timeout"]]))
"""


@pytest.mark.parametrize(("workers", "timeout_seconds"), [(1, 10), (3, 7)])
def test_the_server_gets_its_workers_and_its_patience(tmp_path, workers, timeout_seconds):
    text = SETTINGS_FILE.read_text("utf-8")
    for line in (f"workers = {workers}", f"timeout_seconds = {timeout_seconds}"):
        name = line.split(" ")[0]
        [was] = [one for one in text.splitlines() if one.startswith(f"{name} = ")]
        text = text.replace(was, line)
    file = tmp_path / "onje.toml"
    file.write_text(text, "utf-8")
    places = {"ONJE_HOME": str(tmp_path), "ONJE_SETTINGS": str(file), "HOME": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TOLD],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "BENTOML_DO_NOT_TRACK": "True", **places},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[-1]) == [workers, timeout_seconds]


@pytest.mark.parametrize("threads", [1, 5])
def test_so_many_threads_answer(tmp_path, threads):
    with running(tmp_path, patches=[{"service": {"threads": threads}}]) as service:
        assert service.live.threads.total_tokens == threads


@pytest.mark.parametrize("patience_seconds", [0.2, 1.5])
def test_a_busy_store_is_waited_for_as_long_as_patience_lasts(tmp_path, patience_seconds):
    patches = [{"service": {"patience_seconds": patience_seconds}}]
    with (
        running(tmp_path, patches=patches) as service,
        closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as busy,
    ):
        busy.execute("BEGIN IMMEDIATE")
        began = monotonic()
        with pytest.raises(StoreUnavailable):
            service.live.store.add_patch({}, who="mina", at=NOON)
        waited = monotonic() - began
    assert waited > 0.9 * patience_seconds
    assert patience_seconds > 1 or waited < 1.3


@pytest.mark.parametrize(("reload_seconds", "is_in_force"), [(0.05, True), (5, False)])
def test_new_settings_are_looked_for_so_often(tmp_path, reload_seconds, is_in_force):
    with running(tmp_path, patches=[{"service": {"reload_seconds": reload_seconds}}]) as service:
        before = service.live.settings.current.fingerprint
        service.live.store.add_patch({"policy": {"fatigue": 0.9}}, who="mina", at=NOON)
        service.wait(1.0)
        assert (service.live.settings.current.fingerprint != before) == is_in_force


@pytest.mark.parametrize("warm_up_customers", [0, 1])
def test_it_asks_itself_about_so_many_customers_first(tmp_path, monkeypatch, warm_up_customers):
    with running(tmp_path) as service:
        publish(service)
    asked = []
    monkeypatch.setattr(
        "serving.warm_up.decide_together",
        lambda questions, *_, **__: asked.append([one.customer_id for one in questions]),
    )
    with running(tmp_path, patches=[{"service": {"warm_up_customers": warm_up_customers}}]):
        assert ("ann" in asked[0]) == bool(warm_up_customers)
        # And about somebody whom nobody knows.
        assert [len(one) for one in asked[:-2]] == [1] * (warm_up_customers + 1)
        assert asked[-2:] == [["ann"], ["ann"]] if warm_up_customers else [[], []]


def test_before_it_is_ready_a_full_pass_was_recorded_and_nothing_of_it_stays(tmp_path, monkeypatch):
    with running(tmp_path) as service:
        publish(service)
    sizes = []
    recorded = decided.record
    monkeypatch.setattr(
        "serving.store.decided.record",
        lambda connection, records, *rest, **more: (
            sizes.append(len(records)) or recorded(connection, records, *rest, **more)
        ),
    )
    with running(tmp_path, patches=[{"service": {"warm_up_customers": 1}}]) as service:
        assert sizes == [1, 1, 1, 1]  # ann, nobody, and twice the pass of all there are: ann
        assert service.get("/readyz").status_code == 200
        assert service.get("/v1/customers/ann").json()["recent_decisions"] == []
        assert service.live.store.promised(now=NOON).is_empty()
        assert "onje_decisions_total{" not in service.get("/metrics").text
        service.decide("r1")
        assert "onje_decisions_total{" in service.get("/metrics").text


@pytest.mark.parametrize(("access_log_share", "lines"), [(0.0, 0), (1.0, 3)])
def test_this_share_of_requests_is_logged_by_route_and_never_by_path(
    tmp_path, caplog, access_log_share, lines
):
    caplog.set_level("INFO", logger="onje.access")
    patches = [{"service": {"access_log_share": access_log_share}}]
    with running(tmp_path, patches=patches) as service:
        for _ in range(3):
            service.get("/v1/customers/customer-1723")
    told = [record.getMessage() for record in caplog.records if record.name == "onje.access"]
    assert len(told) == lines
    for line in told:
        assert re.fullmatch(r"GET /v1/customers/\{customer_id\} 404 \d+\.\d ms", line)


def test_a_failure_is_always_logged(tmp_path, caplog, monkeypatch):
    def broken(*_args, **_more):
        raise ZeroDivisionError

    monkeypatch.setattr("serving.batching.decide_together", broken)
    caplog.set_level("INFO", logger="onje.access")
    with running(tmp_path, patches=[{"service": {"access_log_share": 0.0}}]) as service:
        service.post("/v1/decide", {"request_id": "1", "customer_id": "ann"})
    [told] = [one.getMessage() for one in caplog.records if one.name == "onje.access"]
    assert told.startswith("POST /v1/decide 500 ")
