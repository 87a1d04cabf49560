"""What Onje knows of a customer: to look at, to hand over, to erase."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, cast

import polars as pl
from fastapi import APIRouter, Path, Response
from fastapi.responses import StreamingResponse

from serving.exporting import export, is_known
from serving.faults import Refused, declared, unknown
from serving.live import Live
from serving.routes.decisions import standing
from serving.routes.state import LiveNow
from serving.schemas.customers import Customer, Erased
from serving.schemas.message import Id
from serving.scoring import score_view, view_now

router = APIRouter(prefix="/v1", tags=["customers"])

RECENT = 20
JSON = "application/json"
# An export that is longer goes to a file without a name until it is answered.
IN_MEMORY = 4 * 1024 * 1024
PIECE = 64 * 1024


@router.get(
    "/customers/{customer_id:path}/export",
    response_class=Response,
    responses={200: {"content": {JSON: {}}}, **declared(404, 422, 503)},
)
async def export_customer(customer_id: Annotated[Id, Path()], live: LiveNow) -> Response:
    """Everything that is kept about a customer, as one JSON document (GDPR 15 and 20)."""
    # Written aside first: the answer may take its time, and the store's rows must not wait for it.
    written = await live.in_thread(_written, customer_id, live, now=live.now())
    if written is None:
        raise _unknown()
    name = {"Content-Disposition": 'attachment; filename="customer.json"'}
    return StreamingResponse(_pieces(written), media_type=JSON, headers=name)


def _written(customer_id: str, live: Live, *, now: datetime) -> IO[bytes] | None:
    settings = live.settings.current.features
    pieces = export(
        customer_id, store=live.store, lake_root=live.home / "lake", settings=settings, now=now
    )
    file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  closed when it is answered
    for piece in pieces:
        file.write(piece.encode())
    if not file.tell():
        file.close()
        return None
    file.seek(0)
    return cast(IO[bytes], file)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece


@router.delete(
    "/customers/{customer_id:path}",
    status_code=202,
    responses={200: {"model": Erased}, **declared(422, 503)},
)
async def erase_customer(
    customer_id: Annotated[Id, Path()], live: LiveNow, response: Response
) -> Erased:
    """Erase a customer. At once nothing is left of them in the store but a keyed hash.

    202: the lake and the files that nights wrote follow with the next `onje erase`, which the
    nightly job runs, too. 200: they hold nothing either. Asking again is fine, and so is asking of
    somebody unknown, which `known` tells: were they told of later, that would be dropped.
    """
    erased = await live.in_thread(_erased, customer_id, live, now=live.now())
    response.status_code = 200 if erased.swept_at else 202
    return erased


def _erased(customer_id: str, live: Live, *, now: datetime) -> Erased:
    known = is_known(customer_id, store=live.store, lake_root=live.home / "lake")
    erasure = live.store.erase(customer_id, at=now)
    return Erased(name=erasure.name, erased_at=erasure.at, swept_at=erasure.swept_at, known=known)


@router.get("/customers/{customer_id:path}", responses=declared(404, 422, 503))
async def customer(customer_id: Annotated[Id, Path()], live: LiveNow) -> Customer:
    """Scores, whether mail is allowed, and the newest decisions. There is no e-mail address."""
    return await live.in_thread(_customer, customer_id, live, now=live.now())


def _customer(customer_id: str, live: Live, *, now: datetime) -> Customer:
    view = view_now([customer_id], live, now=now)
    [scored] = score_view([customer_id], view, live)
    recent = live.store.recent_decisions(customer_id, limit=RECENT)
    if not scored.scores.known_customer and not recent:
        raise _unknown()
    history = view.knowledge.history.unique("event_id")
    return Customer(
        customer_id=customer_id,
        timezone=scored.timezone,
        events=history.height,
        last_event_at=history.select(pl.col("at").max()).item(),
        permission=scored.permission,
        scores=scored.scores,
        recent_decisions=[standing(decided) for decided in recent],
    )


def _unknown() -> Refused:
    return unknown(
        "customer",
        "no customer of this id",
        "check the id; publish the lake, or tell an event of this customer",
    )
