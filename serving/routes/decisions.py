"""Decisions already made: why, how they stand, whether they hold, and how to take one back."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query
from fastapi.responses import HTMLResponse, Response

from serving.faults import Refused, declared, unknown
from serving.live import Live
from serving.logs import note_decision
from serving.rendering.decision_page import decision_page
from serving.routes.state import LiveNow
from serving.schemas.decisions import DecisionRecord, Standing, Validity
from serving.schemas.message import Fault, Reason
from serving.store import Decided, StoreUnavailable
from serving.validity import invalid_because

log = logging.getLogger("onje")
router = APIRouter(prefix="/v1", tags=["decisions"])

HTML = "text/html"
# The page brings all that it needs, and nothing on it may call anybody.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Vary": "Accept",
}
UNCHECKED = Fault(
    code="store_unavailable",
    found="the store does not answer, so nobody can say whether it still holds",
    do="do not send it; ask again",
)
ERASED = Reason(code="erased", text="its customer was erased: do not send it")
As = Annotated[
    Literal["page", "json"] | None,
    Query(alias="as", description="page: for people, json: for machines; else as Accept says"),
]


@router.get(
    "/decisions/{decision_id}",
    response_model=DecisionRecord,
    responses={200: {"content": {HTML: {}}}, **declared(404, 422, 503)},
)
async def decision(
    decision_id: UUID,
    live: LiveNow,
    shown_as: As = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """A decision with its receipt: for machines as JSON, for people as a page."""
    note_decision(decision_id)
    found = await live.in_thread(live.store.decision, str(decision_id))
    if found is None:
        raise _unknown(decision_id)
    wants_page = HTML in accept and "application/json" not in accept
    if shown_as == "page" or (shown_as is None and wants_page):
        return HTMLResponse(decision_page(found), headers=PAGE_HEADERS)
    record = DecisionRecord.model_validate(asdict(found))
    return Response(record.model_dump_json(), media_type="application/json", headers=VARIES)


VARIES = {"Vary": "Accept"}


@router.get("/decisions/{decision_id}/valid", responses=declared(404, 422, 503))
async def valid(decision_id: UUID, live: LiveNow) -> Validity:
    """Whether a decision still holds: to be asked just before its mail leaves.

    False from the moment that any of these is known: an unsubscribe, a complaint, a hard bounce, a
    withdrawn consent, an erasure; an order of what it shows, or that a product of it left the
    shelf; an act of theirs by which its trigger, or its step of a workflow, applies no more; its
    `send` event, a cancellation, a later decision in a plan's place; its e-mail switched off or
    gone from the catalogue. By time alone: after `valid_until`, in quiet hours or on a day without
    mail, once a consent that has to be confirmed runs out, once silence closes their address.
    And while a cap, a gap, a repeat or the complaint brake stands in its way. A wait holds until
    something happens to them. No answer is a no.
    """
    note_decision(decision_id)
    try:
        return await live.in_thread(_validity, str(decision_id), live, now=live.now())
    except StoreUnavailable as problem:
        log.error("%s", problem)
        raise Refused(503, UNCHECKED) from problem


def _validity(decision_id: str, live: Live, *, now: datetime) -> Validity:
    found = live.store.decision(decision_id)
    if found is None and live.store.was_erased(decision_id):
        return Validity(
            decision_id=UUID(decision_id), valid=False, because=[ERASED], checked_at=now
        )
    if found is None:
        raise _unknown(decision_id)
    settings = live.settings.current
    view = live.store.view_of([found.customer_id], now=now, settings=settings.features)
    because = invalid_because(found, view, settings)
    return Validity(
        decision_id=UUID(found.decision_id),
        valid=not because,
        because=because,
        checked_at=view.present[found.customer_id],
    )


@router.post("/decisions/{decision_id}/cancel", responses=declared(404, 409, 422, 503))
async def cancel(decision_id: UUID, live: LiveNow) -> Standing:
    """Take a decision back: its mail no longer counts in the caps. Doing so twice is fine."""
    note_decision(decision_id)
    state = await live.in_thread(live.store.cancel, str(decision_id))
    found = await live.in_thread(live.store.decision, str(decision_id))
    if found is None:
        raise _unknown(decision_id)
    if state == "sent":
        fault = Fault(code="sent", found="this mail was sent", do="nothing: it cannot be undone")
        raise Refused(409, fault)
    return standing(found)


def standing(decided: Decided) -> Standing:
    """How a decision stands, without its receipt."""
    values = asdict(decided)
    return Standing.model_validate({name: values[name] for name in Standing.model_fields})


def _unknown(decision_id: UUID | str) -> Refused:
    return unknown(
        "decision", f"no decision {decision_id}", "check the id; dry runs are not recorded"
    )
