"""Each request counted, timed, named, and where that is wanted logged and traced, by its route."""

from __future__ import annotations

import logging
from random import random
from time import monotonic
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access.noted import PATH
from serving.live import Live
from serving.logs import DECISION_IDS, HEADER_NAME, REQUEST_ID, request_id_of
from serving.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

log = logging.getLogger("onje.access")

HEADER = HEADER_NAME.lower().encode()
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class RequestMetrics:
    """Observes each request when it is answered; what no route knows counts as "none".

    A request has an id: its caller's X-Request-Id, or a new one. The answer tells it, too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = next((value for name, value in scope["headers"] if name == HEADER), None)
        # Not taken back: who answers for a fault of ours stands outside of this, in the same task,
        # and each request has a task of its own.
        REQUEST_ID.set(request_id_of(told))
        tracing: Tracing | None = scope["app"].state.tracing
        if tracing is None:
            await self._observed(scope, receive, send, None)
            return
        with tracing.request(_traceparent(scope), _method(scope)) as span:
            await self._observed(scope, receive, send, span)

    async def _observed(
        self, scope: Scope, receive: Receive, send: Send, span: Span | None
    ) -> None:
        # None while the service starts: the gate says so, and there is nothing to count with yet.
        live: Live | None = getattr(scope["app"].state, "live", None)
        share = live.settings.current.serving.service.access_log_share if live else 0.0
        is_chosen = random() < share
        decision_ids: list[str] | None = [] if is_chosen or span else None
        token = DECISION_IDS.set(decision_ids)
        request_id = REQUEST_ID.get() or ""
        began = monotonic()
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                named = (HEADER, request_id.encode())
                message = {**message, "headers": [*message.get("headers", ()), named]}
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            DECISION_IDS.reset(token)
            took = monotonic() - began
            # The route's pattern, never the path: that may hold the id of a customer.
            route = scope.get(PATH, "none")
            if live:
                live.metrics.requests.labels(route, str(status)).observe(took)
            facts = {"method": _method(scope), "route": route, "status": status}
            if status >= 500 or is_chosen:
                told = {**facts, "ms": round(1000 * took, 1), "decision_ids": decision_ids or []}
                text = "%s %s %d %.1f ms"
                log.info(text, *facts.values(), 1000 * took, extra={"told": told})
            if span is not None:
                span.update_name(f"{facts['method']} {route}")
                span.set_attribute("http.request.method", _method(scope))
                span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", status)
                span.set_attribute("onje.request_id", request_id)
                span.set_attribute("onje.decision_ids", decision_ids or [])


def _method(scope: Scope) -> str:
    """The method, where it is one: what else stands in its place anybody may have written."""
    method: str = scope["method"]
    return method if method in METHODS else "other"


def _traceparent(scope: Scope) -> dict[str, str]:
    wanted = (b"traceparent", b"tracestate")
    return {
        name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in wanted
    }
