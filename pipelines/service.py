"""Where the service is put together: places, settings, clock and the routers of this layer."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import entry_points
from typing import Any

from fastapi import APIRouter
from prometheus_client import REGISTRY

from pipelines.effective import read_settings
from pipelines.hooks.sources import hooks
from pipelines.places import places, refuse_a_lost_store
from pipelines.pulling import keep_pulling
from pipelines.root_secret import root_secret
from pipelines.settings import load_settings
from serving.live import Live
from serving.logs import write_logs
from serving.opening import open_live
from serving.service import build

ROUTERS = "onje.routers"


def open_here() -> Live:
    """Everything that a worker holds, at the places the environment names."""
    at = places(os.environ)
    refuse_a_lost_store(at)
    return open_live(
        home=at.home,
        store_url=at.store_url,
        read=partial(read_settings, at.settings_file),
        clock=lambda: datetime.now(UTC),
        registry=REGISTRY,
        secret=root_secret(at),
    )


def routers() -> list[APIRouter]:
    """What is mounted beside the decisions: pages and webhooks announce themselves by name."""
    return [entry.load() for entry in entry_points(group=ROUTERS)]


def service() -> Any:
    """The service as bentofile.yaml names it."""
    file = load_settings(places(os.environ).settings_file, [])
    settings = file.service
    write_logs(settings.log, sys.stdout)
    return build(
        open_here,
        routers=routers(),
        workers=settings.workers,
        timeout_seconds=settings.timeout_seconds,
        access=file.access,
        hooks=list(hooks(os.environ).values()),
        companions=[partial(keep_pulling, at=places(os.environ))],
    )


Onje = service()
