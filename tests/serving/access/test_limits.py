"""How often and how much one caller may ask; the rest is told when to come again."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager

import pytest
from fastapi import APIRouter

from serving.access.admission import Entry
from serving.access.limits import REMEMBERED, Limits, leave, network_of
from serving.access.paths import Paths
from serving.access.scopes import Door, Scope, needs
from tests.serving.api.service import NOON, running

RATE = {"per_second": 10.0, "burst": 3, "at_once": 100}


def enter(limits, tick, **more):
    return limits.enter("a", tick, **{**RATE, **more})


def test_a_burst_then_the_rate():
    limits = Limits()
    assert not any(isinstance(enter(limits, 0.0), int) for _ in range(3))
    assert enter(limits, 0.0) == 1
    assert enter(limits, 0.05) == 1
    assert not isinstance(enter(limits, 0.11), int)
    assert not any(isinstance(enter(limits, 100.0), int) for _ in range(3))
    assert enter(limits, 100.0) == 1  # however long it was quiet


def test_the_wait_is_as_long_as_a_token_takes():
    limits = Limits()
    for _ in range(3):
        enter(limits, 0.0, per_second=0.1)
    assert enter(limits, 0.0, per_second=0.1) == 10
    assert enter(limits, 7.0, per_second=0.1) == 3


def test_so_many_at_once_and_one_more_when_one_has_left():
    limits = Limits()
    first, _ = (enter(limits, 0.0, at_once=2) for _ in range(2))
    assert enter(limits, 0.0, at_once=2) == 1
    leave(first)
    assert not isinstance(enter(limits, 0.0, at_once=2), int)


def test_callers_do_not_pay_for_each_other():
    limits = Limits()
    for _ in range(4):
        enter(limits, 0.0)
    assert not isinstance(limits.enter("b", 0.0, **RATE), int)


def test_whoever_was_long_quiet_is_forgotten_and_nobody_else():
    limits = Limits()
    for number in range(REMEMBERED - 1):
        leave(limits.enter(str(number), 0.0, **RATE))
    busy = limits.enter("busy", 0.0, **RATE)
    limits.enter("new", 1000.0, **RATE)
    assert len(limits._callers) == 2
    assert limits._callers["busy"] is busy


def test_a_crowd_that_cannot_be_forgotten_is_not_looked_at_by_each_who_comes():
    limits = Limits()
    looks, seen = 0, limits._callers
    for number in range(3 * REMEMBERED):
        limits.enter(str(number), 0.0, **RATE)
        looks, seen = looks + (limits._callers is not seen), limits._callers
    assert looks == 2  # at so many and at twice as many
    limits.enter("later", 1000.0, **RATE)
    for caller in limits._callers.values():
        caller.under_way = 0
    for number in range(REMEMBERED):
        limits.enter(f"later {number}", 1000.0, **RATE)
    assert len(limits._callers) <= REMEMBERED + 1  # and then those before are forgotten


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::7", "2001:db8:0:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("a:b", "a:b"),
        ("", ""),
    ],
)
def test_an_address_is_counted_by_what_one_customer_of_the_network_is_given(address, network):
    assert network_of(address) == network


@contextmanager
def slow(tmp_path, access, door=Scope.DECIDE):
    """A service with a path that answers when it is let go."""
    router, held = APIRouter(), []

    @router.post("/v1/slow", openapi_extra=needs(door))
    async def wait():
        gate = asyncio.Event()
        held.append(gate)
        await gate.wait()

    with running(tmp_path, patches=[{"access": access}], routers=[router]) as service:
        yield service, held


@pytest.mark.parametrize("at_once", [1, 3])
def test_of_one_key_so_many_are_under_way(tmp_path, at_once):
    with slow(tmp_path, {"at_once": at_once}) as (service, held):
        waiting = service.soon([("POST", "/v1/slow", None)] * at_once)
        while len(held) < at_once:
            service.wait(0.01)
        refused = service.post("/v1/slow")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_often")
        assert refused.headers["Retry-After"] == "1"
        other = service.make_key()
        service.soon_as([("Authorization", f"Bearer {other}")], method="POST", url="/v1/slow")
        while len(held) <= at_once:  # another key has places of its own
            service.wait(0.01)
        assert service.get("/livez").status_code == 200
        for gate in held:
            service.do(gate.set)
        assert {answer.status_code for answer in waiting.result()} == {200}
        assert service.get("/v1/health").status_code == 200  # and the places are free again


@pytest.mark.parametrize(("burst", "passed"), [(2, 2), (5, 5)])
def test_of_one_key_so_many_come_in_a_second(tmp_path, burst, passed):
    with running(tmp_path, patches=[{"access": {"burst": burst, "per_second": 0.01}}]) as service:
        calls = [service.get("/v1/health") for _ in range(burst + 2)]
        assert [answer.status_code for answer in calls] == [200] * passed + [429] * 2
        assert 1 < int(calls[-1].headers["Retry-After"]) <= 100
        assert service.get("/readyz").status_code == 200  # probes are never counted
        assert 'onje_turned_away_total{reason="too_often",status="429"} 2.0' in metrics(service)


def metrics(service):
    key = service.make_key()
    given = [("Authorization", f"Bearer {key}")]
    return service.ask_as(given, method="GET", url="/metrics").text


@pytest.mark.parametrize(("per_second", "refused"), [(0.01, True), (1000, False)])
def test_the_bucket_fills_at_the_rate_of_the_settings(tmp_path, per_second, refused):
    access = {"burst": 1, "per_second": per_second}
    with running(tmp_path, patches=[{"access": access}]) as service:
        service.get("/v1/health")
        service.wait(0.05)
        assert (service.get("/v1/health").status_code == 429) == refused


@pytest.mark.parametrize(("open_burst", "open_per_second"), [(2, 0.01), (4, 0.01), (2, 10_000)])
def test_whoever_needs_no_key_is_counted_by_address(tmp_path, open_burst, open_per_second):
    router = APIRouter()
    router.get("/v1/hook", openapi_extra=needs(Door.OPEN))(lambda: None)
    access = {"open_burst": open_burst, "open_per_second": open_per_second}
    with running(tmp_path, patches=[{"access": access}], routers=[router]) as service:
        calls = []
        for _ in range(5):
            calls.append(service.ask_as([], method="GET", url="/v1/hook").status_code)
            service.wait(0.005)
        assert calls == [200] * (5 if open_per_second > 1 else open_burst) + [429] * (
            0 if open_per_second > 1 else 5 - open_burst
        )
        assert service.get("/v1/health").status_code == 200


def test_all_addresses_of_one_network_share_what_one_may_ask(tmp_path):
    router = APIRouter()
    router.get("/v1/hook", openapi_extra=needs(Door.OPEN))(lambda: None)
    access = {"open_burst": 2, "open_per_second": 0.01}
    with running(tmp_path, patches=[{"access": access}], routers=[router]) as service:
        ways = Paths(service.app.routes).of("/v1/hook")
        settings = service.live.settings.current.serving.access

        def is_let_in(address):
            gate, more = service.live.gate, {"settings": settings, "now": NOON, "tick": 0.0}
            return isinstance(gate.let_in(ways, "GET", None, address, **more), Entry)

        assert [is_let_in(f"2001:db8:0:1::{last}") for last in range(3)] == [True, True, False]
        assert is_let_in("2001:db8:0:2::1")


@pytest.mark.parametrize("open_at_once", [4, 8])
def test_one_address_takes_a_quarter_of_the_strangers_places(tmp_path, open_at_once):
    with slow(tmp_path, {"open_at_once": open_at_once}, Door.OPEN) as (service, held):
        most = open_at_once // 4
        service.soon([("POST", "/v1/slow", None)] * most)
        while len(held) < most:
            service.wait(0.01)
        assert service.post("/v1/slow").status_code == 429
        service.do(lambda: [gate.set() for gate in held])


@pytest.mark.parametrize("body_seconds", [0.2, 1.0])
def test_a_body_that_does_not_come_is_given_up(tmp_path, body_seconds):
    patches = [{"access": {"body_seconds": body_seconds, "at_once": 1}}]
    with running(tmp_path, patches=patches) as service:

        async def stuck():
            yield b"{"
            await asyncio.sleep(60)
            yield b"}"

        async def timed():
            began = asyncio.get_running_loop().time()
            async with service._client() as client:
                answer = await client.post(
                    "/v1/decide", content=stuck(), headers={"Content-Type": "application/json"}
                )
            return answer, asyncio.get_running_loop().time() - began

        answer, lasted = service.do_async(timed)
        assert (answer.status_code, answer.json()["code"]) == (408, "too_slow")
        assert body_seconds <= lasted < body_seconds + 0.6
        assert service.get("/v1/health").status_code == 200  # its place is free again


@pytest.mark.parametrize(("setting", "path"), [("metrics", "/metrics"), ("docs", "/v1/docs")])
@pytest.mark.parametrize("said", ["open", "read"])
def test_figures_and_descriptions_are_as_open_as_the_settings_say(tmp_path, setting, path, said):
    with running(tmp_path, patches=[{"access": {setting: said}}]) as service:
        answer = service.ask_as([], method="GET", url=path)
        assert answer.status_code == (200 if said == "open" else 401)
        key = service.make_key(scopes={Scope.INGEST})
        given = [("Authorization", f"Bearer {key}")]
        assert service.ask_as(given, method="GET", url=path).status_code == (
            200 if said == "open" else 403
        )
        assert service.get(path).status_code == 200
