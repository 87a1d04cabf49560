"""How many requests there were and how long they took, by route: a path may hold an id."""

from __future__ import annotations

import logging
from random import random
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access.noted import PATH

log = logging.getLogger("onje.access")


class RequestMetrics:
    """Observes each request when it is answered; what no route knows counts as "none"."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = monotonic()
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            took = monotonic() - began
            route = scope.get(PATH, "none")
            live = scope["app"].state.live
            live.metrics.requests.labels(route, str(status)).observe(took)
            share = live.settings.current.serving.service.access_log_share
            if status >= 500 or random() < share:
                # The route's pattern, never the path: that may hold the id of a customer.
                log.info("%s %s %d %.1f ms", scope["method"], route, status, 1000 * took)
