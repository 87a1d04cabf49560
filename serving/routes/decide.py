"""What next? For one customer, or for many."""

from __future__ import annotations

from fastapi import APIRouter, Response

from serving.deciding import OTHER_BODY, Outcome, decide_together
from serving.faults import Refused, declared
from serving.routes.state import LiveNow
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


@router.post("/decide", response_model=Decision, responses=declared(409, 413, 422))
async def decide(asked: DecisionRequest, live: LiveNow) -> Response:
    """Which e-mail to send this customer next, when and why; or to wait, and why.

    The same request_id with the same question gets the same answer, byte for byte.
    """
    [outcome] = await live.in_thread(decide_together, [asked], live, now=live.now())
    if isinstance(outcome, Fault):
        raise Refused(409 if outcome == OTHER_BODY else 422, outcome)
    return Response(outcome, media_type=JSON)


@router.post("/decide/batch", response_model=BatchAnswer, responses=declared(413, 422))
async def decide_batch(asked: BatchRequest, live: LiveNow) -> Response:
    """Many questions at once. A broken one is answered by its fault and harms no other."""
    questions = [item for item in asked.requests if isinstance(item, DecisionRequest)]
    outcomes = iter(await live.in_thread(decide_together, questions, live, now=live.now()))
    answers = [
        _item(item.request_id, next(outcomes))
        if isinstance(item, DecisionRequest)
        else _item(None, item)
        for item in asked.requests
    ]
    # Joined as they are, so that an answer has the same bytes here as it had alone.
    return Response(b'{"answers":[' + b",".join(answers) + b"]}", media_type=JSON)


def _item(request_id: str | None, outcome: Outcome) -> bytes:
    if isinstance(outcome, bytes):
        return outcome
    return Failed(request_id=request_id, fault=outcome).model_dump_json().encode()
