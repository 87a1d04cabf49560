"""The BentoML service: it owns processes and their life, the mounted app owns the paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import bentoml
from fastapi import APIRouter

from serving.app import create_app
from serving.live import Live
from serving.orphans import end_with_parent


def build(
    open_live: Callable[[], Live],
    *,
    routers: Sequence[APIRouter],
    workers: int,
    timeout_seconds: int,
) -> Any:
    """A service that mounts the app; nothing is opened before a worker starts."""
    # BentoML's tracing costs up to half of the processor time of a small request.
    os.environ.setdefault("OTEL_SDK_DISABLED", "true")
    app = create_app(open_live, routers=routers)

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

        def __is_ready__(self) -> bool:
            return bool(app.state.is_ready)

    return Onje
