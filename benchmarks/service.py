"""The service with one more endpoint, which does nothing: the floor to measure decisions by."""

from __future__ import annotations

import os

from fastapi import APIRouter

from pipelines.places import places
from pipelines.service import open_here, routers
from pipelines.settings import load_settings
from serving.access.scopes import Scope, needs
from serving.service import build

nothing = APIRouter()


@nothing.post("/v1/nothing", openapi_extra=needs(Scope.DECIDE))
async def do_nothing() -> dict[str, str]:
    return {"action": "none"}


_file = load_settings(places(os.environ).settings_file, [])
_file = load_settings(places(os.environ).settings_file, [])
Onje = build(
    open_here,
    routers=[*routers(), nothing],
    workers=_file.service.workers,
    timeout_seconds=_file.service.timeout_seconds,
    access=_file.access,
)
