"""Scores without a decision, for those who decide themselves."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter

from serving.faults import declared
from serving.live import Live
from serving.routes.state import LiveNow
from serving.schemas.customers import ScoresAnswer, ScoresRequest
from serving.scoring import score_customers, scores_of_the_night
from serving.store import StoreUnavailable

log = logging.getLogger("onje")

router = APIRouter(prefix="/v1", tags=["customers"])


@router.post("/scores", responses=declared(413, 422, 503))
async def scores(asked: ScoresRequest, live: LiveNow) -> ScoresAnswer:
    """What the models say of each customer; one never seen gets what holds for everyone.

    While the store does not answer, the scores of the last night: 503 where that did not know all.
    """
    return await live.in_thread(_scores, asked.customer_ids, live, now=live.now())


def _scores(customer_ids: Sequence[str], live: Live, *, now: datetime) -> ScoresAnswer:
    try:
        scored = [one.scores for one in score_customers(customer_ids, live, now=now)]
        of_last_night = False
    except StoreUnavailable as problem:
        scored = scores_of_the_night(customer_ids, live)
        if len(scored) < len(set(customer_ids)):
            raise
        log.error("scores of the last night are told: %s", problem)
        of_last_night = True
    by_customer = {one.customer_id: one for one in scored}
    return ScoresAnswer(
        scores=[by_customer[customer_id] for customer_id in customer_ids],
        of_last_night=of_last_night,
    )
