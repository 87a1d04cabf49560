"""What next? For one customer, or for many."""

from __future__ import annotations

from fastapi import APIRouter, Response

from serving.deciding import OTHER_BODY, TOO_BUSY, Outcome
from serving.faults import Refused, declared
from serving.logs import note_decisions
from serving.routes.state import LiveNow, TheLine
from serving.schemas.decisions import (
    BatchAnswer,
    BatchRequest,
    Decision,
    DecisionRequest,
    Failed,
)
from serving.schemas.message import Fault

router = APIRouter(prefix="/v1", tags=["decisions"])
JSON = "application/json"
STATUS = {OTHER_BODY.code: 409, TOO_BUSY.code: 503}


@router.post("/decide", response_model=Decision, responses=declared(409, 413, 422, 503))
async def decide(asked: DecisionRequest, live: LiveNow, line: TheLine) -> Response:
    """Which e-mail to send this customer next, when and why; or to wait, and why.

    The same request_id with the same question gets the same answer, byte for byte.
    """
    if line.is_crowded():
        raise Refused(503, TOO_BUSY)
    # The limit counts from here: waiting in the line is part of what the caller waits for.
    [outcome] = await line.ask([asked], is_in_time=live.time_limit())
    if isinstance(outcome, Fault):
        raise Refused(STATUS.get(outcome.code, 422), outcome)
    note_decisions([outcome])
    return Response(outcome, media_type=JSON)


@router.post("/decide/batch", response_model=BatchAnswer, responses=declared(413, 422, 503))
async def decide_batch(asked: BatchRequest, live: LiveNow, line: TheLine) -> Response:
    """Many questions at once. A broken one is answered by its fault and harms no other."""
    if line.is_crowded():
        raise Refused(503, TOO_BUSY)
    questions = [item for item in asked.requests if isinstance(item, DecisionRequest)]
    outcomes = iter(await line.ask(questions, is_in_time=live.time_limit()))
    answers = [
        _item(item.request_id, next(outcomes))
        if isinstance(item, DecisionRequest)
        else _item(None, item)
        for item in asked.requests
    ]
    note_decisions(answers)
    # Joined as they are, so that an answer has the same bytes here as it had alone.
    return Response(b'{"answers":[' + b",".join(answers) + b"]}", media_type=JSON)


def _item(request_id: str | None, outcome: Outcome) -> bytes:
    if isinstance(outcome, bytes):
        return outcome
    return Failed(request_id=request_id, fault=outcome).model_dump_json().encode()
