"""S2: every route of the app, asked without a key that opens it. No route is listed by hand."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from fastapi import APIRouter

from pipelines.keys import revoke
from serving.access.paths import Paths
from serving.access.scopes import SCOPE_OF, Door, Scope, asked_by, needs
from serving.app import create_app
from tests.serving.api.service import NOON, publish, running

WAYS = Paths(create_app(lambda: None, routers=[]).routes).all()
OF_SCOPES = [way for way in WAYS if way.asked not in (Door.ALWAYS, Door.OPEN)]
OPEN = [way for way in WAYS if way.asked in (Door.ALWAYS, Door.OPEN)]
KINDS = (
    "none", "empty", "no bearer", "no key", "unknown", "wrong secret", "expired", "revoked",
    "of another scope", "two",
)  # fmt: skip
EXAMPLES = {
    "customer_id": "ann", "decision_id": "00000000-0000-0000-0000-000000000000",
    "source": "generic", "token": "t",
}  # fmt: skip
# What the table closes unless the settings open it.
CLOSED = [{"access": {"metrics": "read", "docs": "read"}}]


def named(way):
    return f"{way.method} {way.path_format}"


def path_of(way):
    return way.path_format.format(**EXAMPLES)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running(tmp_path_factory.mktemp("home"), patches=CLOSED) as service:
        publish(service)
        yield service


@pytest.fixture(scope="module")
def headers(service):
    """The headers of each kind of caller who must not get in; one per scope for the last."""
    good = service.make_key(known=False)
    expired = service.make_key(lasts=timedelta(0), known=False)
    revoked = service.make_key(known=False)
    revoke(service.live.store, revoked.split("_")[1], now=NOON)
    other = {scope: service.make_key(scopes=set(Scope) - {scope}, known=False) for scope in Scope}
    service.live.gate.keys.refresh()
    bearer = {
        "no bearer": good, "no key": "Bearer let-me-in",
        "unknown": f"Bearer onje_00000000_{good.split('_')[2]}",
        "wrong secret": f"Bearer {good[:-1]}{'a' if good[-1] != 'a' else 'b'}",
        "expired": f"Bearer {expired}", "revoked": f"Bearer {revoked}",
    }  # fmt: skip

    def of(kind, way):
        if kind == "none":
            return []
        if kind == "two":
            return [("Authorization", f"Bearer {good}")] * 2
        if kind == "of another scope":
            asked = way.asked if isinstance(way.asked, Scope) else Scope.READ
            return [("Authorization", f"Bearer {other[asked]}")]
        return [("Authorization", "" if kind == "empty" else bearer[kind])]

    return of


def ask(service, way, given, **more):
    """The answer, and whether anything of the body was asked for."""
    is_read = False

    async def body():
        nonlocal is_read
        is_read = True
        yield b"{}"

    if way.method in ("POST", "PUT", "PATCH"):
        more |= {"content": body()}
        given = [*given, ("Content-Type", "application/json")]
    answer = service.ask_as(given, method=way.method, url=path_of(way), **more)
    return answer, is_read


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", OF_SCOPES, ids=named)
def test_no_route_is_opened_by(service, headers, way, kind):
    answer, is_read = ask(service, way, headers(kind, way))
    if way.method == "HEAD":
        assert answer.status_code == (403 if kind == "of another scope" else 401)
        return
    status, code = (403, "wrong_scope") if kind == "of another scope" else (401, None)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"code", "found", "do"}
    assert code is None or answer.json()["code"] == code
    assert (status == 401) == (answer.headers.get("WWW-Authenticate") == "Bearer")
    assert not is_read


@pytest.mark.parametrize("way", OF_SCOPES, ids=named)
def test_each_is_opened_by_a_key_of_its_scope_alone(service, way):
    asked = way.asked if isinstance(way.asked, Scope) else Scope.READ
    key = service.make_key(scopes={asked})
    answer, _ = ask(service, way, [("Authorization", f"Bearer {key}")])
    assert answer.status_code not in (401, 403, 429), answer.text


@pytest.mark.parametrize("way", OPEN, ids=named)
def test_what_is_open_asks_for_no_key(service, way):
    answer, _ = ask(service, way, [])
    # A webhook or a token that is not good is refused by its own route.
    assert answer.status_code in (200, 404) or answer.json()["code"] not in ("no_key",)


def test_what_is_open_is_listed_here():
    """Whoever opens a route to everybody changes this line, and says why it needs no key."""
    assert {named(way) for way in OPEN} <= {
        "GET /livez", "GET /readyz",  # for probes; they say no more than that
        "POST /v1/hooks/{source}",  # checks a signature
        "GET /v1/unsubscribe/{token}", "POST /v1/unsubscribe/{token}",  # checks a token
    }  # fmt: skip


def test_every_route_of_the_app_stands_in_the_table():
    assert not [named(way) for way in WAYS if way.asked is Door.CLOSED]


def test_a_route_that_the_table_does_not_know_is_closed_to_every_key(tmp_path):
    router = APIRouter()
    router.get("/v1/forgotten")(lambda: "open")
    router.get("/v1/told", openapi_extra=needs(Scope.READ))(lambda: "read")
    with running(tmp_path, routers=[router]) as service:
        answer = service.get("/v1/forgotten")
        assert (answer.status_code, answer.json()["code"]) == (403, "closed")
        assert service.get("/v1/told").text == '"read"'
        ingest = service.make_key(scopes={Scope.INGEST})
        given = [("Authorization", f"Bearer {ingest}")]
        assert service.ask_as(given, method="GET", url="/v1/told").status_code == 403


def test_no_line_of_the_table_can_be_spared():
    used = {(way.method, way.path_format) for way in WAYS}
    for line in SCOPE_OF:
        if line in used:
            assert asked_by(*line, None) is not Door.CLOSED
            assert asked_by(line[0], f"{line[1]}/more", None) is Door.CLOSED


def test_strangers_do_not_learn_which_paths_there_are(service):
    for path in ("/v1/nothing", "/v1/decide", "/docs.json", "/", "/assets/x"):
        answer = service.ask_as([], method="GET", url=path)
        assert (answer.status_code, answer.json()["code"]) == (401, "no_key")


@pytest.mark.parametrize("path", ["/v1/decisions/%2e%2e/health", "//v1/health", "/v1/health/"])
def test_no_way_of_writing_a_path_leads_around_the_table(service, path):
    url = httpx.URL("http://onje", raw_path=path.encode())
    assert service.ask_as([], method="GET", url=url).status_code == 401
    assert service.send(method="GET", url=url).status_code in (404, 422)


def test_a_websocket_is_shut(service):
    told = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        told.append(message)

    scope = {"type": "websocket", "path": "/v1/decide", "headers": [], "root_path": ""}
    service.do_async(service.app, scope, receive, send)
    assert [message["type"] for message in told] == ["websocket.close"]
