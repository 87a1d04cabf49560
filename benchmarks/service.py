"""The service with one more endpoint, which does nothing: the floor to measure decisions by."""

from __future__ import annotations

import os

from fastapi import APIRouter

from pipelines.places import places
from pipelines.service import open_here, routers
from pipelines.settings import load_settings
from serving.service import build

nothing = APIRouter()


@nothing.post("/v1/nothing")
async def do_nothing() -> dict[str, str]:
    return {"action": "none"}


_settings = load_settings(places(os.environ).settings_file, []).service
Onje = build(
    open_here,
    routers=[*routers(), nothing],
    workers=_settings.workers,
    timeout_seconds=_settings.timeout_seconds,
)
