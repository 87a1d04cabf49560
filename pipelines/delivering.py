"""Handing out: at least once, in order per customer, later where it fails, kept aside at last."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import SystemRandom

from pipelines.follow import cancelled_of
from pipelines.follow_settings import OutputSettings
from pipelines.outputs.kinds import Letter, Output, Told
from serving.live import Live
from serving.schemas.message import Reason
from serving.store import StoreUnavailable
from serving.store.outbox import Outcome, Waiting
from serving.validity import invalid_because

log = logging.getLogger("onje")

# Beside the time that an output has: reading, checking, noting how it went.
SPARE = timedelta(seconds=30)
NEVER_LEFT = Reason(code="unknown", text="no such decision is kept any more")


@dataclass(frozen=True)
class Delivered:
    """What became of one parcel, and how long after its cause."""

    output: str
    kind: str
    state: str
    after_s: float


@dataclass
class Deliverer:
    """One that hands out what waits. `clock` is the one on the wall, which signatures go by."""

    live: Live
    outputs: Mapping[str, Output]
    settings: Mapping[str, OutputSettings]
    clock: Callable[[], datetime]
    chance: Callable[[], float] = field(default=SystemRandom().random)

    def round(self, pool: ThreadPoolExecutor, *, at_once: int) -> list[Delivered]:
        """Hand out what waits now, so many at once; what became of each."""
        store = self.live.store
        names = [name for name, one in self.outputs.items() if not self._wants_no_more(name, one)]
        if not names:
            return []
        slowest = max(self.settings[name].timeout_seconds for name in names)
        claimed = store.outbox.claim(
            names, limit=at_once, now=self.live.now(), lasts=timedelta(seconds=slowest) + SPARE
        )
        return [one for one in pool.map(self._try, claimed) if one is not None]

    def _wants_no_more(self, name: str, output: Output) -> bool:
        return self.live.store.outbox.stopped(name) == output.address

    def _try(self, waiting: Waiting) -> Delivered | None:
        """One parcel; None where the store is gone: it is claimed, and comes again by itself."""
        try:
            went = self._hand_over(waiting)
            self.live.store.outbox.settle(waiting.number, went, now=self.live.now())
        except StoreUnavailable as problem:
            log.error("%s", problem)
            return None
        parcel = waiting.parcel
        after = (self.live.now() - parcel.since).total_seconds()
        return Delivered(parcel.output, parcel.kind, went.state, after)

    def _hand_over(self, waiting: Waiting) -> Outcome:
        parcel = waiting.parcel
        why_not = self._why_not(waiting)
        if why_not is not None:
            return Outcome("withdrawn", waiting.attempts, why_not, self.live.now())
        is_notice = parcel.kind == "cancelled"
        identity = f"{parcel.decision_id}.cancelled" if is_notice else parcel.decision_id
        output = self.outputs[parcel.output]
        told = output.hand_over(Letter(identity, parcel.body), now=self.clock())
        return self._outcome(waiting, told, output)

    def _outcome(self, waiting: Waiting, told: Told, output: Output) -> Outcome:
        now, settings = self.live.now(), self.settings[waiting.parcel.output]
        attempts = waiting.attempts + 1
        if told.taken:
            return Outcome("delivered", attempts, told.status, now)
        if told.wants_no_more:
            self.live.store.outbox.stop(waiting.parcel.output, output.address)
            log.error(
                "output %s wants no more (%s): nothing goes there until `onje outbox resume`",
                waiting.parcel.output, told.status,
            )  # fmt: skip
            return Outcome("waiting", attempts, told.status, now)
        if attempts >= settings.attempts:
            return Outcome("dead", attempts, told.status, now)
        wait_s = max(backoff_s(attempts, settings, self.chance()), told.after_s)
        return Outcome("waiting", attempts, told.status, now + timedelta(seconds=wait_s))

    def _why_not(self, waiting: Waiting) -> str | None:
        """Why this is not handed over after all; asked just before it is."""
        parcel, store, now = waiting.parcel, self.live.store, self.live.now()
        if parcel.kind == "wait":
            return None
        if parcel.kind == "cancelled":
            mails = store.outbox.of_decision(parcel.decision_id, parcel.output)
            mail = next((one for one in mails if one.parcel.kind == "send"), None)
            never_tried = mail is None or (mail.state == "withdrawn" and not mail.attempts)
            return "its mail was never handed over" if never_tried else None
        decided = store.decision(parcel.decision_id)
        if decided is None:
            return NEVER_LEFT.code
        settings = self.live.settings.current
        view = store.view_of([waiting.customer_id], now=now, settings=settings.features)
        because = invalid_because(decided, view, settings)
        if not because:
            return None
        if decided.send_at is not None and now < decided.send_at:
            store.cancel(decided.decision_id)
        if waiting.attempts:  # it may have come, though no answer did
            notice = cancelled_of(parcel, waiting.customer_id, because, since=now)
            store.outbox.put([notice], customer_id=waiting.customer_id, now=now)
        return ", ".join(reason.code for reason in because)


def backoff_s(attempts: int, settings: OutputSettings, chance: float) -> float:
    """How long to wait after so many failures: twice as long each time, give or take a half."""
    longest = settings.retry_most_seconds
    # 2 to a power that no float holds must not be computed.
    doubled = settings.retry_seconds * 2.0 ** min(attempts - 1, 40)
    return min(longest, doubled) * (0.5 + chance)
