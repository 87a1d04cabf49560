"""Decisions already made: why, how they stand, and how to take one back."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from fastapi import APIRouter

from serving.faults import Refused, declared, unknown
from serving.routes.state import LiveNow
from serving.schemas.decisions import DecisionRecord, Standing
from serving.schemas.message import Fault
from serving.store import Decided

router = APIRouter(prefix="/v1", tags=["decisions"])


@router.get("/decisions/{decision_id}", responses=declared(404, 422, 503))
async def decision(decision_id: UUID, live: LiveNow) -> DecisionRecord:
    """A decision with its receipt."""
    found = await live.in_thread(live.store.decision, str(decision_id))
    if found is None:
        raise _unknown(decision_id)
    return DecisionRecord.model_validate(asdict(found))


@router.post("/decisions/{decision_id}/cancel", responses=declared(404, 409, 422, 503))
async def cancel(decision_id: UUID, live: LiveNow) -> Standing:
    """Take a decision back: its mail no longer counts in the caps. Doing so twice is fine."""
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


def _unknown(decision_id: UUID) -> Refused:
    return unknown(
        "decision", f"no decision {decision_id}", "check the id; dry runs are not recorded"
    )
