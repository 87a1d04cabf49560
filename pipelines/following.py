"""`onje follow` as a process: a loop that decides and one that hands out, until told to end.

Neither waits for the other: an output that does not answer holds up no decision.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import monotonic
from types import FrameType
from typing import Any

from features.errors import OnjeError
from pipelines.delivering import Delivered, Deliverer
from pipelines.follow import Follower, Round
from pipelines.follow_metrics import FollowMetrics
from serving.live import Live
from serving.store import StoreUnavailable

log = logging.getLogger("onje")

# How often it is told what was done, where something was.
SUMMARY_S = 60.0
# How long it is waited where the store does not answer.
AFTER_A_FAULT_S = 1.0
# Of how many deliveries the summary tells the usual time.
LATEST = 10_000


@dataclass
class Summary:
    """What was done since the last one was told."""

    rounds: int = 0
    events: int = 0
    send: int = 0
    wait: int = 0
    put_off: int = 0
    failed: int = 0
    cancelled: int = 0
    handed: dict[str, int] = field(default_factory=dict)
    after_s: list[float] = field(default_factory=list)

    def add(self, one: Round) -> None:
        self.rounds += 1
        for name in ("events", "send", "wait", "put_off", "failed", "cancelled"):
            setattr(self, name, getattr(self, name) + getattr(one, name))

    def add_delivered(self, one: Delivered) -> None:
        self.handed[one.state] = self.handed.get(one.state, 0) + 1
        if one.state == "delivered":
            self.after_s = [*self.after_s[-LATEST:], one.after_s]

    def told(self) -> dict[str, Any]:
        """All of it; of the times from what happened to delivered, the middle and the 99th."""
        told = asdict(self)
        after = sorted(told.pop("after_s"))
        told["p50_s"] = round(after[len(after) // 2], 2) if after else None
        told["p99_s"] = round(after[int(len(after) * 0.99)], 2) if after else None
        return told

    @property
    def is_empty(self) -> bool:
        done = self.send + self.wait + self.put_off + self.failed + self.cancelled
        return not (self.events or done or self.handed)


@dataclass
class Following:
    """The two loops over one store. `tell` gets each summary; `stop` ends both."""

    live: Live
    follower: Follower
    deliverer: Deliverer
    metrics: FollowMetrics
    tell: Callable[[Mapping[str, Any]], None]
    stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _summary: Summary = field(default_factory=Summary)
    _whole: Summary = field(default_factory=Summary)

    def run(self) -> Summary:
        """Until `stop`; what was begun is finished, and what was done is told."""
        with ThreadPoolExecutor(1, "delivering") as beside:
            delivering = beside.submit(self._keep_delivering)
            try:
                self._keep_deciding()
            finally:
                self.stop.set()
            delivering.result()  # a fault of Onje's own in it ends the process, too
        return self._whole

    def run_once(self) -> Summary:
        """Whatever is due now is decided and handed out, each parcel once."""
        while not self.stop.is_set():
            done = self.follower.round()
            self._note(done)
            if done.is_idle:
                break
        with self._pool() as pool:
            while not self.stop.is_set() and self._delivered(pool):
                pass
        return self._whole

    def _keep_deciding(self) -> None:
        settings = self.follower.settings
        reload_at = told_at = monotonic()
        while not self.stop.is_set():
            pause = settings.look_seconds
            try:
                if monotonic() >= reload_at:
                    self.live.refresh()
                    service = self.live.settings.current.serving.service
                    reload_at = monotonic() + service.reload_seconds
                done = self.follower.round()
                self._note(done)
                self._measure()
                pause = 0.0 if done.due else pause
            except StoreUnavailable as problem:
                log.error("%s", problem)
                pause = AFTER_A_FAULT_S
            except OnjeError as problem:
                log.error("settings and models stay as they are: %s", problem)
            if monotonic() - told_at >= SUMMARY_S:
                self._tell()
                told_at = monotonic()
            self.stop.wait(pause)
        self._tell()

    def _keep_delivering(self) -> None:
        settings = self.follower.settings
        try:
            with self._pool() as pool:
                while not self.stop.is_set():
                    pause = settings.look_seconds
                    try:
                        if self._delivered(pool):
                            continue
                    except StoreUnavailable as problem:
                        log.error("%s", problem)
                        pause = AFTER_A_FAULT_S
                    self.stop.wait(pause)
        finally:
            self.stop.set()

    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.follower.settings.deliver_at_once, "output")

    def _delivered(self, pool: ThreadPoolExecutor) -> bool:
        done = self.deliverer.round(pool, at_once=self.follower.settings.deliver_at_once)
        for one in done:
            self.metrics.handed.labels(one.output, one.kind, one.state).inc()
            if one.state == "delivered":
                self.metrics.after.labels(one.output).observe(one.after_s)
        with self._lock:
            for one in done:
                self._summary.add_delivered(one)
                self._whole.add_delivered(one)
        return bool(done)

    def _note(self, done: Round) -> None:
        for outcome in ("send", "wait", "put_off", "failed"):
            self.metrics.decided.labels(outcome).inc(getattr(done, outcome))
        with self._lock:
            self._summary.add(done)
            self._whole.add(done)

    def _measure(self) -> None:
        now = self.live.now()
        backlog = self.live.store.following.backlog(now=now)
        self.metrics.due.set(backlog.customers)
        late = 0.0 if backlog.since is None else (now - backlog.since).total_seconds()
        self.metrics.lag.set(late)

    def _tell(self) -> None:
        with self._lock:
            done, self._summary = self._summary, Summary()
        for output, states in self.live.store.outbox.counts().items():
            for state, count in states.items():
                self.metrics.waiting.labels(output, state).set(count)
        if not done.is_empty:
            self.tell(done.told())


@contextmanager
def ended_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and Ctrl-C let what was begun finish; the second Ctrl-C does not wait."""

    def end(number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {one: signal.signal(one, end) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
