"""What happened: kept before it is acknowledged, known to the next decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter

from serving.faults import declared
from serving.live import Live
from serving.routes.state import LiveNow
from serving.schemas.events import Event, EventsAnswer, EventsRequest, Rejected
from serving.schemas.message import Fault
from serving.store import Taken
from serving.telling import as_told

router = APIRouter(prefix="/v1", tags=["events"])

ERASED = Fault(
    code="erased_customer",
    found="an event of a customer who was erased, from before they began anew",
    do="do not send it again; a signup or a consent that they gave since begins a new life",
)


@router.post("/events", responses=declared(413, 422, 503))
async def tell(told: EventsRequest, live: LiveNow) -> EventsAnswer:
    """Keep events. The answer means that they are on disk; telling one twice changes nothing."""
    return await live.in_thread(_keep, told.events, live, live.now())


def _keep(told: Sequence[Event | Fault], live: Live, now: datetime) -> EventsAnswer:
    rejected = [
        Rejected(index=place, fault=item)
        for place, item in enumerate(told)
        if isinstance(item, Fault)
    ]
    places = [place for place, item in enumerate(told) if isinstance(item, Event)]
    taken = Taken(accepted=0, known_already=0, erased=frozenset())
    if places:
        rows, broken = as_told([e for e in told if isinstance(e, Event)], now=now)
        rejected += [
            Rejected(index=places[place], fault=_breaks_contract(reason))
            for place, reason in broken.items()
        ]
        taken = live.store.append_events(rows)
        accepted = [place for number, place in enumerate(places) if number not in broken]
        rejected += [
            Rejected(index=place, fault=ERASED)
            for place, event_id in zip(accepted, rows["event_id"], strict=True)
            if event_id in taken.erased
        ]
    live.metrics.events.labels("accepted").inc(taken.accepted)
    live.metrics.events.labels("known_already").inc(taken.known_already)
    gone = sum(item.fault is ERASED for item in rejected)
    live.metrics.events.labels("erased").inc(gone)
    live.metrics.events.labels("rejected").inc(len(rejected) - gone)
    return EventsAnswer(
        accepted=taken.accepted,
        known_already=taken.known_already,
        rejected=sorted(rejected, key=lambda item: item.index),
    )


def _breaks_contract(reason: str) -> Fault:
    return Fault(
        code="breaks_contract",
        found=reason,
        do="correct the event and send it again; the others need not be sent again",
    )
