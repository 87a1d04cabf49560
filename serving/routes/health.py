"""Alive, ready, counted. Where BentoML mounts this app, its own /livez and /readyz answer.

What they cannot say, /v1/health does: whether rules answer where a model is missing.
"""

from __future__ import annotations

import os

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

router = APIRouter(include_in_schema=False)


@router.get("/livez")
async def livez() -> Response:
    return Response("alive\n", media_type="text/plain")


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Ready with models or without: rules answer where a model is missing.

    Ready also while the store does not answer, which passes; not where it is another one.
    """
    state = request.app.state
    if not state.is_ready:
        return Response("starting\n", 503, media_type="text/plain")
    if state.live.store.is_another():
        return Response("the store was replaced: restart\n", 503, media_type="text/plain")
    missing = ", ".join(state.live.models.current.missing)
    said = f"ready, by rules for want of {missing}\n" if missing else "ready\n"
    return Response(said, media_type="text/plain")


@router.get("/v1/health")
async def health(request: Request) -> Response:
    """Which models are missing, and which of these were refused; why is for the log to say."""
    state = request.app.state
    if not state.is_ready:
        return JSONResponse({"state": "starting"}, 503)
    models = state.live.models.current
    missing = list(models.missing)
    told = {
        "state": "degraded" if missing else "ready",
        "missing_models": missing,
        "refused_models": list(models.refused),
        "do": "onje doctor" if missing else None,
        "versions": models.versions,
    }
    return JSONResponse(told)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Of all processes of the service, where the server has them count into one folder."""
    registry = request.app.state.live.registry
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
