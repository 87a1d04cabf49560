"""From questions to recorded answers, many in one pass: one read, one policy call, one write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

import polars as pl

from serving.answer import answer
from serving.effective import Effective
from serving.live import Live
from serving.receipts import answer_of, body_hash, record_of, wait_without_store
from serving.schemas.decisions import DecisionRequest
from serving.schemas.message import Fault
from serving.scores import Models
from serving.store import Kept, OtherBody, Outrun, Store, StoreUnavailable, View
from serving.tables import REQUESTS
from serving.telling import as_seen

# How often a decision is made again when the customer changes under it. Each time somebody else
# got through, so this many rivals for one customer at one moment are more than there can be.
ATTEMPTS = 20

OTHER_BODY = Fault(
    code="request_id_reused",
    found="this request_id was answered before, for another question",
    do="use a new request_id for a new question; repeat the same body to get the same answer",
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
    asked: Sequence[DecisionRequest], live: Live, *, now: datetime
) -> list[Outcome]:
    """The answer to each question, as bytes, or the fault that stands in its way.

    Each is answered as if asked alone. What is answered here is recorded, unless it is a dry run
    or the store is unavailable: then the answer is to wait, since consent cannot be looked up.
    """
    this = _Pass(live.store, live.models.current, live.settings.current, now)
    outcomes: dict[int, Outcome] = {}
    with live.metrics.deciding.time():
        for turn in _turns(asked):
            outcomes |= _take_turn(turn, this, live)
    return [outcomes[place] for place in range(len(asked))]


def _turns(asked: Sequence[DecisionRequest]) -> list[dict[int, DecisionRequest]]:
    """The questions by place, split so that a customer and a request come once in each turn.

    So a second mail to the same customer sees the first one reserved, and what one question
    tells in its context does not reach another.
    """
    turns: list[dict[int, DecisionRequest]] = []
    seen: list[set[tuple[str, str]]] = []
    for place, question in enumerate(asked):
        keys = {("customer", question.customer_id), ("request", question.request_id)}
        turn = next((n for n, met in enumerate(seen) if not met & keys), len(turns))
        if turn == len(turns):
            turns.append({})
            seen.append(set())
        turns[turn][place] = question
        seen[turn] |= keys
    return turns


def _take_turn(turn: dict[int, DecisionRequest], this: _Pass, live: Live) -> dict[int, Outcome]:
    outcomes: dict[int, Outcome] = {
        place: fault
        for place, question in turn.items()
        if (fault := _unknown_emails(question, this.settings)) is not None
    }
    reason = ("store_unavailable", "The store does not answer, so consent cannot be checked.")
    try:
        kept = {p: q for p, q in turn.items() if p not in outcomes and not q.dry_run}
        before = this.store.remembered({q.request_id: body_hash(q) for q in kept.values()})
        outcomes |= {
            place: _outcome(before[question.request_id])
            for place, question in kept.items()
            if question.request_id in before
        }
        for attempt in range(ATTEMPTS):
            pending = {place: q for place, q in turn.items() if place not in outcomes}
            if not pending:
                return outcomes
            live.metrics.outrun.inc(len(pending) if attempt else 0)
            outcomes |= _decide(pending, this, live)
        reason = ("customer_is_changing", "Too much happens to this customer at this moment.")
    except StoreUnavailable:
        pass
    code, text = reason
    for place, question in turn.items():
        if place not in outcomes:
            wait = wait_without_store(question, uuid4(), code=code, text=text, now=this.now)
            outcomes[place] = wait.model_dump_json().encode()
            live.metrics.decisions.labels("wait", code, "true").inc()
    return outcomes


def _decide(pending: Mapping[int, DecisionRequest], this: _Pass, live: Live) -> dict[int, Outcome]:
    """Decide and record; a question whose customer has changed meanwhile has no outcome yet."""
    questions = list(pending.values())
    features = this.settings.features
    view = this.store.view_of([q.customer_id for q in questions], now=this.now, settings=features)
    rows = answer(
        _requests(questions, view, this.now),
        replace(view.knowledge, history=_with_context(questions, view, this)),
        this.models,
        settings=this.settings.serving,
        feature_settings=features,
    ).rows(named=True)
    records = {
        place: record_of(
            row, question, this.settings, revision=view.revisions[question.customer_id]
        )
        for (place, question), row in zip(pending.items(), rows, strict=True)
        if not question.dry_run
    }
    outcomes: dict[int, Outcome] = {
        place: answer_of(row).model_dump_json().encode()
        for (place, question), row in zip(pending.items(), rows, strict=True)
        if question.dry_run
    }
    results = this.store.record(list(records.values()), at=this.now) if records else []
    for place, result in zip(records, results, strict=True):
        if not isinstance(result, Outrun):
            outcomes[place] = _outcome(result)
    for place, row in zip(pending, rows, strict=True):
        if place in outcomes:
            degraded = "true" if row["degraded"] else "false"
            first = row["because"][0]["code"] if row["because"] else "none"
            live.metrics.decisions.labels(row["action"], first, degraded).inc()
    return outcomes


def _requests(questions: Sequence[DecisionRequest], view: View, now: datetime) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row": range(len(questions)),
            "request_id": [q.request_id for q in questions],
            "decision_id": [str(uuid4()) for _ in questions],
            "customer_id": [q.customer_id for q in questions],
            # Never before what is known: a withdrawal of consent that came in after the clock was
            # read, or before it stepped back, must be seen.
            "as_of": [max(now, view.newest.get(q.customer_id, now)) for q in questions],
            "emails": [q.emails for q in questions],
            "earliest": [q.earliest for q in questions],
            "deadline": [q.deadline for q in questions],
        },
        schema=REQUESTS,
    )


def _with_context(questions: Sequence[DecisionRequest], view: View, this: _Pass) -> pl.DataFrame:
    seen = [
        as_seen(q.context.events, customer_id=q.customer_id, request_id=q.request_id, now=this.now)
        for q in questions
        if q.context and q.context.events
    ]
    if not seen:
        return view.knowledge.history
    told = this.store.as_history(pl.concat(seen), settings=this.settings.features)
    return pl.concat([view.knowledge.history, told])


def _unknown_emails(question: DecisionRequest, settings: Effective) -> Fault | None:
    known = settings.serving.emails
    unknown = [name for name in question.emails or () if name not in known]
    if not unknown:
        return None
    return Fault(
        code="unknown_email",
        found=f"emails: no e-mail is called {', '.join(unknown)}",
        do=f"name some of {', '.join(known)}",
    )


def _outcome(result: Kept | OtherBody) -> Outcome:
    return result.answer if isinstance(result, Kept) else OTHER_BODY
