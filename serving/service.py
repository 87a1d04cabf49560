"""The BentoML service: it owns processes and their life, the mounted app owns the paths."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import bentoml
from bentoml._internal.server.http.traffic import TimeoutMiddleware
from fastapi import APIRouter
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.access.settings import AccessSettings
from serving.access.sockets import allow_connections, guard_connections
from serving.app import Companion, create_app
from serving.faults import fault_response
from serving.hooks import Hook
from serving.live import Live
from serving.orphans import end_with_parent
from serving.schemas.message import Fault

TOO_LATE = Fault(
    code="too_busy",
    found="the answer took longer than [service] timeout_seconds",
    do="ask again; with the same request_id, a decision that was made meanwhile is the answer",
)


# In these, the middleware that limits a request's time leaves its timer behind when the request is
# answered: the timer and all that the request left in its context then live until it goes off.
LEAVES_ITS_TIMERS = ("1.4.39",)


def forget_timers() -> None:
    """Let BentoML's timeout forget a request when it is answered; once is enough.

    Nothing happens under a BentoML that was not looked at: then only the short timeout helps. A
    test says when the one that is installed needs this no more.
    """
    if bentoml.__version__ not in LEAVES_ITS_TIMERS or hasattr(
        TimeoutMiddleware.__call__, "__wrapped__"
    ):
        return

    @wraps(TimeoutMiddleware.__call__)
    async def timed(self: TimeoutMiddleware, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        try:
            async with asyncio.timeout(self.timeout) as limit:

                async def begun(message: Any) -> None:
                    if not limit.expired():
                        limit.reschedule(None)  # only the beginning of an answer is timed
                    await send(message)

                await self.app(scope, receive, begun)
        except TimeoutError:
            if not limit.expired():
                raise  # one of the app's own
            await fault_response(503, TOO_LATE, {})(scope, receive, send)

    TimeoutMiddleware.__call__ = timed  # type: ignore[method-assign]


def build(
    open_live: Callable[[], Live],
    *,
    routers: Sequence[APIRouter],
    workers: int,
    timeout_seconds: int,
    access: AccessSettings,
    hooks: Sequence[Hook] = (),
    companions: Sequence[Companion] = (),
) -> Any:
    """A service that mounts the app; nothing is opened before a worker starts."""
    # BentoML's tracing costs up to half of the processor time of a small request.
    os.environ.setdefault("OTEL_SDK_DISABLED", "true")
    forget_timers()
    guard_connections(access)
    app = create_app(open_live, routers=routers, hooks=hooks, companions=companions)

    # Without max_concurrency: a gate there can be held shut by 64 idle connections. A short
    # timeout: BentoML keeps each request's objects in memory for as long as it lasts. Without its
    # access log and its metrics: these write whole paths, and some of ours hold the id of a
    # customer. The app counts by itself, at the same /metrics.
    @bentoml.service(
        name="onje",
        workers=workers,
        traffic={"timeout": timeout_seconds},
        logging={"access": {"enabled": False}},
        metrics={"enabled": False},
    )
    @bentoml.asgi_app(app, path="/")
    class Onje:
        """Asked at /v1/decide; described at /v1/docs."""

        def __init__(self) -> None:
            end_with_parent()
            logging.getLogger("onje").setLevel(logging.INFO)  # BentoML shows only warnings
            allow_connections(access.connections)

        def __is_ready__(self) -> bool:
            return bool(app.state.is_ready) and not app.state.live.store.is_another()

    made: Any = Onje
    made.add_asgi_middleware(StraightTo, ours=app)
    return made


class StraightTo:
    """Hands every request to our app, so that no route of BentoML's own is open to anybody."""

    def __init__(self, app: ASGIApp, ours: ASGIApp) -> None:
        self._bentoml = app
        self._ours = ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._bentoml if scope["type"] == "lifespan" else self._ours)(scope, receive, send)
