"""The service as a process: a port that is taken is told, and no worker outlives its supervisor."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from features.errors import NotReadyError
from pipelines.places import places
from pipelines.serve import SERVICE, refuse_a_taken_port, running

ROOT = Path(__file__).parents[2]


def test_a_taken_port_is_told_before_anything_starts(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        at = places({"ONJE_HOME": str(tmp_path), "ONJE_PORT": str(port)})
        with (
            pytest.raises(NotReadyError, match="set ONJE_PORT to a free port"),
            running(at, log=tmp_path / "log", service=SERVICE),
        ):
            pass
    refuse_a_taken_port(at)


def test_no_worker_outlives_a_supervisor_that_was_killed(tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    at = places({
        "ONJE_HOME": str(tmp_path), "ONJE_PORT": str(port),
        "ONJE_SETTINGS": str(ROOT / "onje.toml"),
    })  # fmt: skip
    with running(at, log=tmp_path / "log", service=SERVICE) as service:
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait()
        until = time.monotonic() + 15
        while time.monotonic() < until:
            try:
                refuse_a_taken_port(at)
                return
            except NotReadyError:
                time.sleep(0.2)
    pytest.fail("the worker still holds the port")
