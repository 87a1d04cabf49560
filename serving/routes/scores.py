"""Scores without a decision, for those who decide themselves."""

from __future__ import annotations

from fastapi import APIRouter

from serving.faults import declared
from serving.routes.state import LiveNow
from serving.schemas.customers import ScoresAnswer, ScoresRequest
from serving.scoring import score_customers

router = APIRouter(prefix="/v1", tags=["customers"])


@router.post("/scores", responses=declared(413, 422, 503))
async def scores(asked: ScoresRequest, live: LiveNow) -> ScoresAnswer:
    """What the models say of each customer; one never seen gets what holds for everyone."""
    scored = await live.in_thread(score_customers, asked.customer_ids, live, now=live.now())
    by_customer = {one.scores.customer_id: one.scores for one in scored}
    return ScoresAnswer(scores=[by_customer[customer_id] for customer_id in asked.customer_ids])
