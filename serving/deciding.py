"""From questions to recorded answers, many in one pass: one read, one policy call, one write."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import polars as pl

from features.contracts import LATEST_CLOCK_ERROR
from serving.answer import decisions_of
from serving.effective import Effective
from serving.live import Live
from serving.receipts import answer_of, body_hash, record_of, rows_of, wait_unrecorded
from serving.schemas.decisions import DecisionRequest
from serving.schemas.events import SeenEvent
from serving.schemas.message import Fault, Reason
from serving.scores import Models, scores_of
from serving.store import Kept, OtherBody, Outrun, Record, Store, StoreUnavailable, View
from serving.tables import KEY, REQUESTS
from serving.telling import as_seen
from serving.turns import Questions, Turn
from serving.unsubscribing import Tokens
from serving.valuation import OWN

log = logging.getLogger("onje")

# How often a decision is made again when the customer changes under it. Each time somebody else
# got through, so this many rivals for one customer at one moment are more than there can be.
ATTEMPTS = 20
# A mail is promised from when it is decided until it is sent, and keeps others out for so long.
FARTHEST_EARLIEST = timedelta(days=30)
# So far ahead of this clock that of a caller may be.
CLOCKS_DIFFER: timedelta = pl.select(LATEST_CLOCK_ERROR).item()

NO_STORE = Reason(
    code="store_unavailable", text="the store does not answer, so consent cannot be checked"
)
ERASED = Reason(
    code="erased", text="they were erased: nothing is known of them, and nothing is kept"
)
RESTLESS = Reason(
    code="customer_is_changing", text="too much happens to this customer at this very moment"
)
OTHER_BODY = Fault(
    code="request_id_reused",
    found="this request_id was answered before, for another question",
    do="use a new request_id for a new question; repeat the same body to get the same answer",
)
TOO_BUSY = Fault(
    code="too_busy",
    found="there is more to answer than time allows; this question was not decided",
    do="ask again with the same request_id; ask fewer questions at a time",
)
BROKEN = Fault(
    code="internal",
    found="a fault of the service itself",
    do="report it with the time and the path; the log has the rest",
)
TOO_EARLY = Fault(
    code="earliest_too_far",
    found=f"earliest lies more than {FARTHEST_EARLIEST.days} days ahead",
    do="ask when the time is nearer: what is known of the customer will have changed by then",
)
FROM_TOMORROW = Fault(
    code="context_too_late",
    found="an event of the context lies more than "
    f"{CLOCKS_DIFFER // timedelta(minutes=1)} minutes ahead",
    do="give the moment with its offset from UTC, or leave `at` out for just now",
)

Outcome = bytes | Fault


@dataclass(frozen=True)
class _Pass:
    """What holds for one pass: whatever is swapped meanwhile, it ends on what it began with."""

    store: Store
    models: Models
    settings: Effective
    now: datetime


def decide_together(
    asked: Sequence[DecisionRequest], live: Live, *, now: datetime, is_in_time: Callable[[], bool]
) -> list[Outcome]:
    """The answer to each question, as bytes, or the fault that stands in its way.

    Once `is_in_time` says no, nothing new is begun and what is left is TOO_BUSY.

    Each is answered as if asked alone. What is answered here is recorded, unless it is a dry run
    or the store is unavailable: then the answer is to wait, since consent cannot be looked up.
    """
    in_force = live.settings.current
    this = _Pass(live.store, live.models.under(in_force.features), in_force, now)
    questions = Questions(asked)
    outcomes: dict[int, Outcome] = dict(questions.refused)
    with live.metrics.deciding.time():
        while turn := dict(questions.take(len(asked), Turn())):
            in_time = is_in_time()
            outcomes |= _take_turn(turn, this, live) if in_time else dict.fromkeys(turn, TOO_BUSY)
    return [outcomes[place] for place in range(len(asked))]


def _take_turn(turn: dict[int, DecisionRequest], this: _Pass, live: Live) -> dict[int, Outcome]:
    outcomes = _refused(turn, this)
    try:
        with live.metrics.stage("read"):
            outcomes |= _remembered(turn, this.store)
        for attempt in range(ATTEMPTS):
            pending = {place: asked for place, asked in turn.items() if place not in outcomes}
            if not pending:
                return outcomes
            live.metrics.outrun.inc(len(pending) if attempt else 0)
            outcomes |= _decide(pending, this, live)
        because = RESTLESS
    except StoreUnavailable as problem:
        log.error("%s", problem)
        because = NO_STORE
    for place, asked in turn.items():
        if place not in outcomes:
            outcomes[place] = _unrecorded(asked, because, this, live, degraded=True)
    return outcomes


def _refused(turn: Mapping[int, DecisionRequest], this: _Pass) -> dict[int, Outcome]:
    known = this.settings.serving.emails
    faults: dict[int, Outcome] = {}
    for place, asked in turn.items():
        unknown = [name for name in asked.emails or () if name not in known]
        if unknown:
            faults[place] = Fault(
                code="unknown_email",
                found=f"emails: no e-mail is called {', '.join(unknown)}",
                do=f"name some of {', '.join(known)}",
            )
        elif asked.earliest and asked.earliest > this.now + FARTHEST_EARLIEST:
            faults[place] = TOO_EARLY
        elif any(seen.at and seen.at > this.now + CLOCKS_DIFFER for seen in _seen(asked)):
            faults[place] = FROM_TOMORROW
    return faults


def _seen(asked: DecisionRequest) -> Sequence[SeenEvent]:
    return asked.context.events if asked.context else []


def _remembered(turn: Mapping[int, DecisionRequest], store: Store) -> dict[int, Outcome]:
    """What was answered before; a dry run neither is remembered nor remembers."""
    lasting = {place: asked for place, asked in turn.items() if not asked.dry_run}
    before = store.remembered({asked.request_id: body_hash(asked) for asked in lasting.values()})
    return {
        place: _outcome(before[asked.request_id])
        for place, asked in lasting.items()
        if asked.request_id in before
    }


def _decide(pending: Mapping[int, DecisionRequest], this: _Pass, live: Live) -> dict[int, Outcome]:
    """Decide and record; a question whose customer has changed meanwhile has no outcome yet."""
    questions = list(pending.values())
    in_force = this.settings
    stage = live.metrics.stage
    with stage("read"):
        view = this.store.view_of(
            [asked.customer_id for asked in questions], now=this.now, settings=in_force.features
        )
    there = {
        place: asked for place, asked in pending.items() if asked.customer_id not in view.erased
    }
    if len(there) < len(pending):
        outcomes = _decide(there, this, live) if there else {}
        for place in pending.keys() - there.keys():
            outcomes[place] = _unrecorded(pending[place], ERASED, this, live, degraded=False)
        return outcomes
    with stage("read"):
        requests = _requests(questions, view)
        knowledge = replace(view.knowledge, history=_with_context(questions, view, this))
    with stage("scores"):
        scores = scores_of(
            requests.select(KEY),
            knowledge,
            this.models,
            settings=in_force.serving,
            feature_settings=in_force.features,
        )
    with stage("deciding"):
        decisions = decisions_of(
            requests,
            knowledge,
            this.models,
            scores,
            settings=in_force.serving,
            feature_settings=in_force.features,
            valuation=OWN,
        )
    with stage("record"):
        return _recorded(pending, decisions, view, this, live)


def _unrecorded(
    asked: DecisionRequest, because: Reason, this: _Pass, live: Live, *, degraded: bool
) -> Outcome:
    wait = wait_unrecorded(asked, uuid4(), because=because, now=this.now, degraded=degraded)
    if not asked.dry_run and not this.store.is_rehearsal:
        live.metrics.decisions.labels("wait", because.code, str(degraded).lower()).inc()
    return wait.model_dump_json().encode()


def _recorded(
    pending: Mapping[int, DecisionRequest],
    decisions: pl.DataFrame,
    view: View,
    this: _Pass,
    live: Live,
) -> dict[int, Outcome]:
    """The answers, each kept unless it is a dry run or its customer has changed meanwhile."""
    in_force = this.settings
    base = in_force.serving.service.unsubscribe_url
    links = partial(Tokens(live.secret).url_of, base=base)
    rows = dict(zip(pending, rows_of(decisions), strict=True))
    outcomes: dict[int, Outcome] = {}
    records: dict[int, Record] = {}
    for place, asked in pending.items():
        if asked.dry_run:
            outcomes[place] = answer_of(rows[place], links).model_dump_json().encode()
        else:
            records[place] = record_of(
                rows[place],
                asked,
                in_force,
                online=view.online.get(asked.customer_id, ()),
                revision=view.revisions[asked.customer_id],
                links=links,
            )
    if records:
        this.store.keep_settings(in_force.fingerprint, in_force.to_json())
        results = this.store.record(list(records.values()), at=this.now)
        for place, result in zip(records, results, strict=True):
            if not isinstance(result, Outrun):
                outcomes[place] = _outcome(result)
    if not this.store.is_rehearsal:
        for place in outcomes.keys() & records.keys():
            _count(rows[place], live)
    return outcomes


def _count(row: Mapping[str, Any], live: Live) -> None:
    first = row["because"][0]["code"] if row["because"] else "none"
    live.metrics.decisions.labels(row["action"], first, str(row["degraded"]).lower()).inc()
    if row["known_until"] is not None:
        known_for = row["as_of"] - row["known_until"]
        live.metrics.known_age.observe(known_for.total_seconds())
    if row["hour_source"] is not None:
        live.metrics.hour_sources.labels(row["hour_source"]).inc()


def _requests(questions: Sequence[DecisionRequest], view: View) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row": range(len(questions)),
            "request_id": [q.request_id for q in questions],
            "decision_id": [str(uuid4()) for _ in questions],
            "customer_id": [q.customer_id for q in questions],
            # Never before what is known: a withdrawal of consent that came in after the clock was
            # read, or before it stepped back, must be seen.
            "as_of": [view.present[q.customer_id] for q in questions],
            "emails": [q.emails for q in questions],
            "earliest": [q.earliest for q in questions],
            "deadline": [q.deadline for q in questions],
        },
        schema=REQUESTS,
    )


def _with_context(questions: Sequence[DecisionRequest], view: View, this: _Pass) -> pl.DataFrame:
    seen = [
        as_seen(
            q.context.events,
            customer_id=q.customer_id,
            request_id=q.request_id,
            now=view.present[q.customer_id],
        )
        for q in questions
        if q.context and q.context.events
    ]
    if not seen:
        return view.knowledge.history
    told = this.store.as_history(pl.concat(seen), settings=this.settings.features)
    return pl.concat([view.knowledge.history, told])


def _outcome(result: Kept | OtherBody) -> Outcome:
    return result.answer if isinstance(result, Kept) else OTHER_BODY
