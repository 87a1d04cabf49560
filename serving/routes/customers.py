"""What Onje knows of a customer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Path

from serving.faults import declared, unknown
from serving.live import Live
from serving.routes.decisions import standing
from serving.routes.state import LiveNow
from serving.schemas.customers import Customer
from serving.schemas.message import Id
from serving.scoring import score_view, view_now

router = APIRouter(prefix="/v1", tags=["customers"])

RECENT = 20


@router.get("/customers/{customer_id:path}", responses=declared(404, 422, 503))
async def customer(customer_id: Annotated[Id, Path()], live: LiveNow) -> Customer:
    """Scores, whether mail is allowed, and the newest decisions. There is no e-mail address."""
    return await live.in_thread(_customer, customer_id, live, now=live.now())


def _customer(customer_id: str, live: Live, *, now: datetime) -> Customer:
    view = view_now([customer_id], live, now=now)
    [scored] = score_view([customer_id], view, live)
    recent = live.store.recent_decisions(customer_id, limit=RECENT)
    if not scored.scores.known_customer and not recent:
        raise unknown(
            "customer",
            "no customer of this id",
            "check the id; publish the lake, or tell an event of this customer",
        )
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
