"""The HTTP surface as one ASGI app: for BentoML to mount, for tests to call in process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from serving.access.description import describe_access
from serving.access.gate import Gate
from serving.batching import Batcher
from serving.faults import NoSuchPath, answer_faults
from serving.hooks import Hook, Inlet
from serving.live import Live
from serving.request_metrics import RequestMetrics
from serving.routes import customers, decide, decisions, events, health, hooks, scores, unsubscribe
from serving.tracing import open_tracing
from serving.warm_up import warm_up

ROUTERS = (decide, scores, events, hooks, decisions, customers, unsubscribe, health)


# What runs beside the app for as long as it does, and does not end by itself.
Companion = Callable[[Live], Coroutine[None, None, None]]


def create_app(
    open_live: Callable[[], Live],
    *,
    routers: Sequence[APIRouter],
    hooks: Sequence[Hook] = (),
    companions: Sequence[Companion] = (),
) -> FastAPI:
    """The app. `open_live` is called when it starts, in the process that will serve.

    `routers` are mounted beside its own: pages and webhooks of layers above this one; `hooks` are
    the sources that may bring events; `companions` run beside it.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        live = await asyncio.to_thread(open_live)
        await asyncio.to_thread(warm_up, live)
        share = live.settings.current.serving.service.tracing_share
        app.state.tracing = tracing = open_tracing(share)
        app.state.batcher = batcher = Batcher(live, tracing)
        app.state.inlet = inlet = Inlet(live, {hook.name: hook for hook in hooks})
        endless = (live.keep_fresh(), inlet.keep_parsing(), *(run(live) for run in companions))
        beside = [asyncio.create_task(one) for one in endless]
        app.state.live = live  # last: whoever comes before is told that the service is starting
        app.state.is_ready = True
        yield
        app.state.is_ready = False
        for task in beside:
            task.cancel()
        # One that failed has told so; the others end by being told to.
        await asyncio.gather(*beside, return_exceptions=True)
        await batcher.close()
        if tracing:
            await asyncio.to_thread(tracing.close)
        live.store.close()

    app = FastAPI(
        title="Onje",
        summary="The right e-mail, to the right customer, at the right hour, or no e-mail at all.",
        # /docs and /metrics are BentoML's own names where it mounts this app.
        docs_url="/v1/docs",
        openapi_url="/v1/openapi.json",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        lifespan=lifespan,
    )
    app.state.is_ready = False
    app.state.tracing = None
    app.add_middleware(Gate)
    app.add_middleware(RequestMetrics)  # the last added is the first asked; it only counts
    answer_faults(app)
    for router in (*(module.router for module in ROUTERS), *routers):
        app.include_router(router)
    app.router.routes.append(NoSuchPath())
    describe_access(app)
    return app
