"""Deciding unasked: whoever an event, a deadline or a step of a workflow makes due is decided on.

What is due rests in the store until the decision and what is handed out of it are kept. The request
id of a decision follows from the customer and the cause, so whoever comes to it twice, after a kill
or beside another follower, gets the same decision and hands nothing out twice.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from pipelines.follow_due import next_cause
from pipelines.follow_settings import FollowSettings, OutputSettings
from serving.batching import Batcher
from serving.deciding import BROKEN, ERASED, Outcome
from serving.live import Live
from serving.schemas.decisions import DecisionRequest
from serving.schemas.message import Fault
from serving.store.follow import Due, Settled
from serving.store.outbox import Parcel
from serving.validity import invalid_because

# Events looked at in one transaction.
EVENTS_AT_ONCE = 5_000
# When to try again what could not be decided.
AGAIN = timedelta(minutes=1)
# A mail that runs out or was sent needs no word that it is not wanted any more: its `valid_until`
# said so, and whoever sent it knows.
SAID_BEFORE = frozenset({"expired", "sent"})


@dataclass(frozen=True)
class Round:
    """What was done in one round. `lag_s`: how long the first of those due was left waiting."""

    events: int
    due: int
    send: int
    wait: int
    put_off: int
    failed: int
    cancelled: int
    lag_s: float

    @property
    def is_idle(self) -> bool:
        return not (self.events or self.due)


@dataclass(frozen=True)
class Follower:
    """One that decides; `outputs` are where its decisions go."""

    live: Live
    settings: FollowSettings
    outputs: Mapping[str, OutputSettings]

    def round(self) -> Round:
        """Look at what happened, and decide on whoever is due now, some at a time."""
        live, settings = self.live, self.settings
        following, now = live.store.following, live.now()
        events = following.read_on(
            limit=EVENTS_AT_ONCE, now=now, settles=timedelta(seconds=settings.settle_seconds)
        )
        due = following.claim(
            limit=live.settings.current.serving.service.largest_batch,
            now=now,
            lasts=timedelta(seconds=settings.lease_seconds),
        )
        lag_s = max(((now - one.cause.at).total_seconds() for one in due), default=0.0)
        cancelled = self._take_back(due, now)
        ready, early = self._parted(due, now)
        answers = dict(zip((one.customer_id for one in ready), self._decided(ready), strict=True))
        settled = [*early, *(self._settled(one, answers[one.customer_id], now) for one in ready)]
        following.settle(settled, now=live.now())
        told = [answer.get("action") for answer in map(_read, answers.values())]
        return Round(
            events, len(due), told.count("send"), told.count("wait"), len(early),
            told.count(None), cancelled, lag_s,
        )  # fmt: skip

    def rehearsed(self) -> Iterator[dict[str, Any]]:
        """What would be decided for whoever is due now; nothing is noted, kept or handed out."""
        limit = self.live.settings.current.serving.service.largest_batch
        due = self.live.store.following.look(limit=limit, now=self.live.now())
        questions = [question_of(one, dry_run=True) for one in due]
        for one, outcome in zip(due, asyncio.run(self._ask(questions)), strict=True):
            told = _read(outcome)
            yield {"why": one.cause.why, "cause": one.cause.name, **told}

    def _parted(self, due: Sequence[Due], now: datetime) -> tuple[list[Due], list[Settled]]:
        """Whom to decide on now, and whom later since that was done just before."""
        least = timedelta(minutes=self.settings.least_minutes)
        ready, early = [], []
        for one in due:
            # Time alone makes nobody due so often.
            free_at = one.decided_at + least if one.decided_at else now
            if free_at <= now or one.cause.why not in ("event", "plan"):
                ready.append(one)
            else:
                later = replace(one.cause, at=free_at, since=free_at)
                early.append(Settled(one, later, None, ()))
        return ready, early

    def _decided(self, due: Sequence[Due]) -> list[Outcome]:
        return asyncio.run(self._ask([question_of(one, dry_run=False) for one in due]))

    async def _ask(self, questions: Sequence[DecisionRequest]) -> list[Outcome]:
        if not questions:
            return []
        batcher = Batcher(self.live)
        [told] = await asyncio.gather(
            batcher.ask(questions, is_in_time=lambda: True), return_exceptions=True
        )
        await batcher.close()
        # What fails in a list fails alone, as one of its items; one alone is raised.
        return [BROKEN] * len(questions) if isinstance(told, BaseException) else told

    def _settled(self, due: Due, outcome: Outcome, now: datetime) -> Settled:
        answer = _read(outcome)
        later = replace(due.cause, at=now + AGAIN)
        if not answer:
            return Settled(due, later, None, ())
        decided = self.live.store.decision(answer["decision_id"])
        if decided is None:  # nothing was recorded: they were erased, or nobody could look
            is_gone = any(reason["code"] == ERASED.code for reason in answer["because"])
            return Settled(due, None if is_gone else later, None, ())
        cause = next_cause(decided, self.live.settings.current.serving)
        if cause.at <= now:  # an answer of long ago, remembered: what came after it is due
            cause = replace(cause, at=now)
        body = outcome if isinstance(outcome, bytes) else b""
        parcels = [
            Parcel(decided.decision_id, name, decided.action, body, due.cause.since)  # type: ignore[arg-type]
            for name, output in self.outputs.items()
            if decided.action == "send" or output.only == "all"
        ]
        return Settled(due, cause, now, parcels)

    def _take_back(self, due: Sequence[Due], now: datetime) -> int:
        """Tell outputs which mails that they have are not to be sent any more."""
        store, settings = self.live.store, self.live.settings.current
        taken_back = 0
        since = {one.customer_id: one.cause.since for one in due}
        for waiting in store.outbox.under_way(list(since)):
            decided = store.decision(waiting.parcel.decision_id)
            if decided is None:
                continue
            view = store.view_of([waiting.customer_id], now=now, settings=settings.features)
            because = [
                reason
                for reason in invalid_because(decided, view, settings)
                if reason.code not in SAID_BEFORE
            ]
            if not because:
                continue
            if decided.send_at is not None and now < decided.send_at:
                store.cancel(decided.decision_id)  # it has not left, so its place is free
            notice = cancelled_of(
                waiting.parcel, waiting.customer_id, because, since=since[waiting.customer_id]
            )
            taken_back += store.outbox.put([notice], customer_id=waiting.customer_id, now=now)
        return taken_back


def question_of(due: Due, *, dry_run: bool) -> DecisionRequest:
    """The question about a customer, under an id that only they and its cause make."""
    name = sha256(f"{due.customer_id}\n{due.cause.name}".encode()).hexdigest()[:40]
    return DecisionRequest(
        request_id=f"follow-{name}", customer_id=due.customer_id, dry_run=dry_run
    )


def cancelled_of(
    parcel: Parcel, customer_id: str, because: Sequence[Any], *, since: datetime
) -> Parcel:
    """The word that a mail is not to be sent any more."""
    told = {
        "action": "cancelled",
        "decision_id": parcel.decision_id,
        "customer_id": customer_id,
        "because": [reason.model_dump() for reason in because],
    }
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    return Parcel(parcel.decision_id, parcel.output, "cancelled", body, since)


def _read(outcome: Outcome) -> dict[str, Any]:
    """An answer, or nothing where there is none."""
    answer: dict[str, Any] = {} if isinstance(outcome, Fault) else json.loads(outcome)
    return answer
