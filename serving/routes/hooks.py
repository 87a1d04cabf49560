"""What other systems tell by themselves: verified, kept, acknowledged; read afterwards."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request

from serving.faults import Refused, declared, unknown
from serving.hooks import Inlet
from serving.live import Live
from serving.routes.state import LiveNow
from serving.schemas.message import Message
from serving.store import Delivery

router = APIRouter(prefix="/v1", tags=["events"])


class Acknowledged(Message):
    """It is on disk, and will become events within seconds."""

    kept: Literal[True] = True


@router.post(
    "/hooks/{source}",
    responses=declared(401, 404, 503),
    openapi_extra={"requestBody": {"content": {"*/*": {"schema": {"type": "string"}}}}},
)
async def hook(
    source: Annotated[str, Path(max_length=64)], request: Request, live: LiveNow
) -> Acknowledged:
    """Keep a webhook's body as it came. Its signature is the key; docs/operate-hooks.md says how.

    What cannot be read is kept aside with the reason, see `onje dead-letters`: its sender is told
    200 all the same, since sending it again would not help.
    """
    inlet: Inlet = request.app.state.inlet
    found = inlet.hooks.get(source)
    if found is None:
        raise unknown("source", "no source of this name is set up", "see `onje doctor`")
    headers = {name: request.headers[name] for name in found.headers if name in request.headers}
    delivery = Delivery(source, live.now(), headers, await request.body())
    wrong = await inlet.verify(found, delivery, live.clock())
    if wrong is not None:
        _count(live, source, "refused")
        raise Refused(401, wrong)
    await inlet.keep(delivery)
    _count(live, source, "kept")
    return Acknowledged()


def _count(live: Live, source: str, outcome: str) -> None:
    live.metrics.deliveries.labels(source, outcome).inc()
