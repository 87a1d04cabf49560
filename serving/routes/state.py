"""What a route gets of the running service."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from serving.batching import Batcher
from serving.live import Live


async def _live(request: Request) -> Live:
    # Not awaiting anything; but what is not async gets a thread of its own, for each request.
    return cast(Live, request.app.state.live)


LiveNow = Annotated[Live, Depends(_live)]


async def _batcher(request: Request) -> Batcher:
    return cast(Batcher, request.app.state.batcher)


TheLine = Annotated[Batcher, Depends(_batcher)]
