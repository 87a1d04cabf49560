"""S4: the real service, real sockets: whoever never finishes neither stays nor is in the way."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock
from weakref import WeakSet

import httpx
import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from pipelines.keys import make_key
from pipelines.places import places
from pipelines.serve import SERVICE, running
from serving.access.scopes import Scope
from serving.access.settings import AccessSettings
from serving.access.sockets import Connection
from serving.store.store import Store
from tests.serving.access.flood import HALF_A_BODY, HALF_A_HEAD, flooded

ROOT = Path(__file__).parents[3]
SHORT = {
    "header_seconds": 1.0, "body_seconds": 1.0, "idle_seconds": 4.0, "connections": 80,
    "header_kib": 8, "header_lines": 20,
}  # fmt: skip
WATCHED_S = 0.5  # how often the service looks at its connections


@dataclass(frozen=True)
class Served:
    host: str
    port: int
    key: str
    log: Path

    @property
    def address(self):
        return f"http://{self.host}:{self.port}"

    @property
    def headers(self):
        return {"Authorization": f"Bearer {self.key}"}


@contextmanager
def served(home, access):
    """The service as a process, with these settings of [access]."""
    text = (ROOT / "onje.toml").read_text("utf-8")
    for name, value in access.items():
        [was] = [one for one in text.splitlines() if one.startswith(f"{name} = ")]
        text = text.replace(was, f"{name} = {value}")
    file = home / "onje.toml"
    file.write_text(text, "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    at = places({"ONJE_HOME": str(home), "ONJE_PORT": str(port), "ONJE_SETTINGS": str(file)})
    store = Store.open(at.store_url, patience_s=5)
    _, key = make_key(store, name="", scopes=set(Scope), lasts=None, now=datetime.now(UTC))
    store.close()
    with running(at, log=home / "log", service=SERVICE):
        yield Served(at.host, at.port, key, home / "log")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with served(tmp_path_factory.mktemp("home"), SHORT) as service:
        yield service


def closed_after(service, said, *, more=b"", every=0.2, most=8.0):
    """What came back, and the seconds until the service closed; `more` is said meanwhile."""
    with socket.create_connection((service.host, service.port)) as caller:
        began = time.monotonic()
        caller.sendall(said)
        caller.settimeout(every)
        came = b""
        while time.monotonic() - began < most:
            try:
                part = caller.recv(4096)
                if not part:
                    return came, time.monotonic() - began
                came += part
            except TimeoutError:
                if more:
                    caller.sendall(more)
            except ConnectionError:
                return came, time.monotonic() - began
    return came, float("inf")


@pytest.mark.parametrize(
    ("said", "more", "answer", "within"),
    [
        (b"", b"", b"", 1.0),
        (b"G", b"", b" 408 ", 1.0),
        (HALF_A_HEAD, b"", b" 408 ", 1.0),
        (HALF_A_HEAD, b"X-More: 1\r\n", b"HTTP/1.1 4", 1.0),  # however busily it goes on
        (b"\r\n", b"\r\n", b"", 1.0),
        (HALF_A_BODY, b"", b" 401 ", 2.0),
        (HALF_A_BODY, b"x", b" 401 ", 2.0),
        (b"GET /livez HTTP/1.1\r\nHost: o\r\n\r\n", b"", b" 200 ", 1.0),
        (b"GET /livez HTTP/1.1\r\nHost: o\r\n\r\n", b"\r\n", b" 200 ", 2.5),
    ],
)
def test_no_stranger_stays(service, said, more, answer, within):
    came, lasted = closed_after(service, said, more=more)
    assert answer in came
    assert lasted < within + 2 * WATCHED_S + 0.3, came


def test_a_slow_body_of_a_caller_with_a_key_is_given_up_with_a_word(service):
    said = HALF_A_BODY.replace(
        b"Host: onje", b"Host: onje\r\nAuthorization: Bearer " + service.key.encode()
    )
    came, lasted = closed_after(service, said)
    assert b" 408 " in came and b"too_slow" in came
    assert 1.0 <= lasted < 1.0 + 2.0 + 2 * WATCHED_S + 0.3


def test_whoever_has_a_key_may_be_quiet_for_longer(service):
    head = f"GET /v1/health HTTP/1.1\r\nHost: o\r\nAuthorization: Bearer {service.key}\r\n\r\n"
    came, lasted = closed_after(service, head.encode())
    assert b" 200 " in came
    assert 3.5 < lasted < 4.0 + 1.0


@pytest.mark.parametrize(
    "headers", [{"X-Long": "x" * 9_000}, {f"X-{place}": "1" for place in range(25)}]
)
def test_headers_have_an_end(service, headers):
    answer = httpx.get(f"{service.address}/livez", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")
    address = f"{service.address}/livez?{'x' * 9_000}"
    assert httpx.get(address).status_code == 431


def test_bytes_that_are_no_request_are_answered_in_our_shape(service):
    came, lasted = closed_after(service, b"\x16\x03\x01 hello\r\n\r\n")
    assert b" 400 " in came and b'"code": "unreadable"' in came
    assert lasted < 1.0


def test_a_body_that_nobody_wants_does_not_keep_its_sender_from_the_answer(service):
    for headers, status in (({}, 401), (service.headers, 413)):
        answer = httpx.post(
            f"{service.address}/v1/decide",
            content=b"x" * 1_500_000,
            headers={**headers, "Content-Type": "application/json"},
        )
        assert answer.status_code == status
    answer = httpx.post(f"{service.address}/v1/decide", content=b"x" * 50_000_000)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "path", ["/docs.json", "/schema.json", "/healthz", "/", "/static_content/x", "/tasks"]
)
def test_no_path_of_the_server_below_is_open(service, path):
    assert httpx.get(f"{service.address}{path}").status_code == 401
    answer = httpx.get(f"{service.address}{path}", headers=service.headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_path")


def test_nothing_is_upgraded(service):
    head = (
        "GET /v1/decide HTTP/1.1\r\nHost: o\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    came, _ = closed_after(service, head.encode())
    assert b" 401 " in came and b"101" not in came.split(b"\r\n")[0]


def test_64_half_open_sockets_are_in_nobodys_way(service):
    seen = asyncio.run(
        flooded(service.host, service.port, service.key, sockets=64, seconds=3.0, again=0.05)
    )
    assert len(seen.statuses) >= 2  # how many is a matter of what else the machine does
    assert seen.served >= 0.99, seen


def test_more_sockets_than_there_may_be_give_way_to_new_callers(service):
    seen = asyncio.run(
        flooded(service.host, service.port, service.key, sockets=200, seconds=3.0, again=1.0)
    )
    assert len(seen.statuses) >= 2  # how many is a matter of what else the machine does
    assert seen.served >= 0.99, seen


@pytest.mark.long
def test_1000_half_open_sockets_are_in_nobodys_way(tmp_path):
    with served(tmp_path, {}) as service:
        seen = asyncio.run(
            flooded(
                service.host, service.port, service.key, sockets=1_000, seconds=30.0, again=0.05
            )
        )
        print(len(seen.statuses), seen.served, seen.slowest)
    assert len(seen.statuses) > 100
    assert seen.served >= 0.99, seen


def connected(kind, crowd, loop):
    """A connection of nobody that has to go at once."""
    made = kind(Config(lambda: None), crowd, {}, loop)
    made.connection_made(Mock(get_extra_info=lambda _name: None, is_closing=lambda: False))
    made.due = loop.time()
    return made


def test_whoever_cannot_be_closed_keeps_no_other_open_and_each_loop_has_a_watchman():
    access = AccessSettings.model_construct(header_seconds=60.0, connections=10)
    kind = type("Watched", (Connection,), {"access": access, "watched": WeakSet()})
    crowd = ServerState()

    async def ended():
        loop, told = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda _loop, what: told.append(what["exception"]))
        stuck, *others = (connected(kind, crowd, loop) for _ in range(5))
        stuck.transport.close.side_effect = ZeroDivisionError
        await asyncio.sleep(WATCHED_S + 0.2)
        later = connected(kind, crowd, loop)
        crowd.connections.discard(stuck)
        await asyncio.sleep(WATCHED_S + 0.2)
        crowd.connections.clear()
        assert [type(one) for one in told] == [ZeroDivisionError]
        return [one.transport.close.called for one in (*others, later)]

    for _ in range(2):  # another loop, the same kind
        assert asyncio.run(ended()) == [True] * 5
