"""What BentoML is told and taught, and the processes it starts."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path

import bentoml
import httpx
import pytest
from bentoml._internal.server.http.traffic import TimeoutMiddleware

from pipelines.places import places
from pipelines.serve import SERVICE, running
from serving.service import LEAVES_ITS_TIMERS, forget_timers

ROOT = Path(__file__).parents[2]
SCOPE = {"type": "http", "path": "/"}


async def answer_at_once(_scope, _receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def ask(app, *, timeout, call):
    """What was sent, and how many timers were left behind by the middleware called as `call`."""
    sent = []

    async def send(message):
        sent.append(message)

    middleware = TimeoutMiddleware(app, timeout=timeout)
    await call(middleware, SCOPE, None, send)
    timers = [one for one in asyncio.get_running_loop()._scheduled if not one.cancelled()]
    return sent, len(timers)


def test_the_bentoml_that_is_installed_still_leaves_its_timers():
    """Once this fails, BentoML needs `forget_timers` no more: take it out."""
    assert bentoml.__version__ in LEAVES_ITS_TIMERS, "look whether this BentoML still leaves timers"
    forget_timers()
    by_bentoml = TimeoutMiddleware.__call__.__wrapped__
    _, timers = asyncio.run(ask(answer_at_once, timeout=30, call=by_bentoml))
    assert timers == 1


def test_no_timer_is_left_when_a_request_was_answered():
    forget_timers()
    sent, timers = asyncio.run(ask(answer_at_once, timeout=30, call=TimeoutMiddleware.__call__))
    assert [one["type"] for one in sent] == ["http.response.start", "http.response.body"]
    assert timers == 0


def test_an_answer_that_does_not_begin_in_time_is_given_up():
    async def never(_scope, _receive, _send):
        await asyncio.sleep(30)

    forget_timers()
    begun = time.monotonic()
    sent, timers = asyncio.run(ask(never, timeout=0.2, call=TimeoutMiddleware.__call__))
    assert time.monotonic() - begun < 5
    assert (sent[0]["status"], timers) == (503, 0)
    assert json.loads(sent[1]["body"])["code"] == "too_busy"
    assert (b"retry-after", b"1") in sent[0]["headers"]


def test_an_answer_that_has_begun_is_not_cut_off():
    async def slow(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.3)
        await send({"type": "http.response.body", "body": b"all"})

    forget_timers()
    sent, _ = asyncio.run(ask(slow, timeout=0.1, call=TimeoutMiddleware.__call__))
    assert sent[1]["body"] == b"all"


def test_a_timeout_of_the_apps_own_is_its_own():
    async def broken(_scope, _receive, _send):
        raise TimeoutError("the app's")

    forget_timers()
    with pytest.raises(TimeoutError, match="the app's"):
        asyncio.run(ask(broken, timeout=5, call=TimeoutMiddleware.__call__))


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A service as `onje serve` starts it."""
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"ONJE_HOME": str(home), "ONJE_PORT": str(port)}
    at = places({**settings, "ONJE_SETTINGS": str(ROOT / "onje.toml")})
    with running(at, log=home / "log", service=SERVICE) as started:
        yield started


def worker_of(service):
    """The process that answers: the one below the supervisor that has the app's libraries."""
    children = [service.process.pid]
    for pid in children:
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += [int(one) for one in (task / "children").read_text().split()]
    workers = [
        pid
        for pid in children
        if "_bentoml_impl.worker.service" in Path(f"/proc/{pid}/cmdline").read_text()
    ]
    assert len(workers) == 1
    return workers[0]


def test_the_worker_runs_on_uvloop_and_httptools(service):
    mapped = Path(f"/proc/{worker_of(service)}/maps").read_text()
    assert "/uvloop/loop." in mapped
    assert "/httptools/parser/" in mapped
    # What uvicorn chooses by itself where both are there; it says so in no header, so ask it.
    from uvicorn.config import Config

    config = Config(app=answer_at_once)
    config.load()
    assert "httptools" in config.http_protocol_class.__module__
    assert config.get_loop_factory().__module__.startswith("uvloop")


def test_a_worker_computes_with_one_thread(service):
    environment = Path(f"/proc/{worker_of(service)}/environ").read_text().split("\0")
    assert {"POLARS_MAX_THREADS=1", "OMP_NUM_THREADS=1", "OTEL_SDK_DISABLED=true"} <= set(
        environment
    )


def test_two_services_on_one_machine_count_apart(service):
    environment = Path(f"/proc/{worker_of(service)}/environ").read_text().split("\0")
    [folder] = [one for one in environment if one.startswith("PROMETHEUS_MULTIPROC_DIR=")]
    assert Path(folder.partition("=")[2]).is_relative_to(service.log.parent)


def test_it_is_ready_only_when_it_can_answer(service):
    assert httpx.get(f"{service.address}/readyz").status_code == 200


def test_a_request_is_logged_by_its_route(service):
    # A failure is logged whatever the share; of the rest one in a hundred is: ask until one was.
    log, line = service.log, "GET /livez 200"
    for _ in range(3000):
        assert httpx.get(f"{service.address}/livez").status_code == 200
        if line in log.read_text("utf-8"):
            return
    pytest.fail(f"{log} holds no {line}")
