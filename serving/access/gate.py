"""The gate in front of the app: before anything of it runs, and before a body is read."""

from __future__ import annotations

from time import monotonic
from typing import cast

from starlette._utils import get_route_path
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from serving.access.admission import Entry, Refusal
from serving.access.noted import KEY, PATH
from serving.access.paths import Paths
from serving.access.reading import Told, hostile, told_by, whole_body
from serving.access.scopes import Door
from serving.faults import fault_response
from serving.live import Live
from serving.schemas.message import Fault

STARTING = Refusal(
    503, Fault(code="starting", found="the service is starting", do="try again in a moment"), 1
)


class Gate:
    """Asks for keys, scopes and limits; reads bodies within theirs; answers whoever fails.

    Whatever its table of scopes does not know it keeps from the app.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._paths: Paths | None = None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        told = told_by(scope["headers"])
        entry = self._entry(scope, told)
        if isinstance(entry, Refusal):
            await _refuse(entry, scope, receive, send)
            return
        try:
            if entry.key:
                scope[KEY] = entry.key.key_id
            if not told.has_body:
                await self._app(scope, receive, send)
                return
            body = await whole_body(entry.way, told, receive, seconds=_seconds(scope))
            if isinstance(body, Refusal):
                await _refuse(body, scope, receive, send)
            elif body is not None:
                if found := hostile(entry.way, body):
                    await _refuse(Refusal(422, found), scope, receive, send)
                else:
                    await self._app(scope, _replayed(body, receive), send)
        finally:
            entry.leave()

    def _entry(self, scope: AsgiScope, told: Told) -> Entry | Refusal:
        if self._paths is None:
            self._paths = Paths(scope["app"].routes)
        ways = self._paths.of(get_route_path(scope))
        if ways:
            scope[PATH] = next(iter(ways.values())).path_format
        method = scope["method"]
        live = cast("Live | None", getattr(scope["app"].state, "live", None))
        if live is None:
            way = ways.get(method)
            return Entry(None, way, ()) if way and way.asked is Door.ALWAYS else STARTING
        client = scope.get("client")
        return live.gate.let_in(
            ways,
            method,
            told.authorization,
            client[0] if client else "",
            settings=live.settings.current.serving.access,
            now=live.clock(),
            tick=monotonic(),
        )


def _replayed(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def replayed() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _seconds(scope: AsgiScope) -> float:
    live: Live = scope["app"].state.live
    return live.settings.current.serving.access.body_seconds


async def _refuse(refusal: Refusal, scope: AsgiScope, receive: Receive, send: Send) -> None:
    live: Live | None = getattr(scope["app"].state, "live", None)
    if live:
        live.metrics.turned_away.labels(str(refusal.status), refusal.fault.code).inc()
    headers: dict[str, str] = {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    response = fault_response(refusal.status, refusal.fault, headers)
    await response(scope, receive, send)
