"""What an operator counts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from math import nan
from pathlib import Path
from time import perf_counter
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import mark_process_dead

from serving import tracing
from serving.store import Lags

# Where the processes of a service count together.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
HOUR = 3600
DAY = 24 * HOUR
AGES = (60, HOUR, 6 * HOUR, DAY, 2 * DAY, 7 * DAY, 30 * DAY, 90 * DAY, 365 * DAY)
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Metrics:
    """Counters without any value of a customer in their labels."""

    decisions: Counter
    outrun: Counter
    deciding: Histogram
    stages: Histogram
    passes: Histogram
    waiting: Gauge
    events: Counter
    refused: Counter
    requests: Histogram
    pulls: Counter
    deliveries: Counter
    dead: Counter
    turned_away: Counter
    known_age: Histogram
    hour_sources: Counter
    store: Histogram
    store_failed: Counter
    models: Gauge
    inbox: Gauge
    inbox_age: Gauge
    dead_kept: Gauge
    publication_age: Gauge
    _told_models: dict[str, str] = field(default_factory=dict, repr=False)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Observe how long a stage of a pass takes, and note it for traces."""
        began = perf_counter()
        with tracing.noted(name):
            try:
                yield
            finally:
                self.stages.labels(name).observe(perf_counter() - began)

    def tell_store(self, operation: str, seconds: float, done: bool) -> None:
        """What the store tells of an operation."""
        self.store.labels(operation).observe(seconds)
        if not done:
            self.store_failed.labels(operation).inc()

    def tell_models(self, versions: Mapping[str, str | None]) -> None:
        """Which versions serve now; those that served before are 0."""
        serving = {name: version or "none" for name, version in versions.items()}
        for name, version in self._told_models.items():
            if serving.get(name) != version:
                self.models.labels(name, version).set(0)
        for name, version in serving.items():
            self.models.labels(name, version).set(1)
        self._told_models.clear()
        self._told_models.update(serving)

    def tell_lags(self, lags: Lags, *, now: datetime) -> None:
        """How far behind what comes in is worked on, at this moment."""
        self.inbox.set(lags.waiting)
        self.inbox_age.set(_seconds(lags.oldest, now))
        self.dead_kept.set(lags.dead)
        never = lags.published_at is None
        self.publication_age.set(nan if never else _seconds(lags.published_at, now))

    @classmethod
    def on(cls, registry: CollectorRegistry) -> Self:
        return cls(
            decisions=Counter(
                "onje_decisions",
                "decisions answered, by action and first reason; without dry runs",
                ["action", "reason", "degraded"],
                registry=registry,
            ),
            outrun=Counter(
                "onje_decisions_outrun",
                "decisions made again since the customer changed meanwhile",
                registry=registry,
            ),
            deciding=Histogram(
                "onje_deciding_seconds",
                "from questions to recorded answers, per pass",
                buckets=SECONDS,
                registry=registry,
            ),
            stages=Histogram(
                "onje_stage_seconds",
                "what a pass spends its time on; `wait` is that of each request in the line",
                ["stage"],
                buckets=SECONDS,
                registry=registry,
            ),
            passes=Histogram(
                "onje_pass_questions",
                "questions that shared a pass",
                buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
                registry=registry,
            ),
            waiting=Gauge(
                "onje_waiting",
                "requests in the line for the next pass",
                multiprocess_mode="livesum",
                registry=registry,
            ),
            events=Counter(
                "onje_events",
                "events told online, by what became of them",
                ["outcome"],
                registry=registry,
            ),
            refused=Counter(
                "onje_refused",
                "models and settings that could not be used",
                ["what"],
                registry=registry,
            ),
            requests=Histogram(
                "onje_request_seconds",
                "requests by route and status, from their arrival to their answer",
                ["route", "status"],
                buckets=SECONDS,
                registry=registry,
            ),
            deliveries=Counter(
                "onje_deliveries",
                "bodies of webhooks: kept, refused for their signature, parsed into events",
                ["source", "outcome"],
                registry=registry,
            ),
            dead=Counter(
                "onje_dead_letters",
                "what webhooks told and could not become an event",
                ["source"],
                registry=registry,
            ),
            pulls=Counter(
                "onje_model_pulls",
                "looks for champions that MLflow has moved, by what came of them",
                ["outcome"],
                registry=registry,
            ),
            turned_away=Counter(
                "onje_turned_away",
                "requests refused at the gate, by status and reason: keys, scopes, limits, bodies",
                ["status", "reason"],
                registry=registry,
            ),
            known_age=Histogram(
                "onje_known_age_seconds",
                "age of the newest thing known of a customer when they were decided on",
                buckets=AGES,
                registry=registry,
            ),
            hour_sources=Counter(
                "onje_hour_sources",
                "mails by whose hours their hour came from: customer, segment, everyone, default",
                ["source"],
                registry=registry,
            ),
            store=Histogram(
                "onje_store_seconds",
                "what the service asked of the store, by operation",
                ["operation"],
                buckets=SECONDS,
                registry=registry,
            ),
            store_failed=Counter(
                "onje_store_failures",
                "operations of the store that did not come to their end",
                ["operation"],
                registry=registry,
            ),
            models=Gauge(
                "onje_model",
                "1: this version serves; 0: it served before. `none`: rules stand in",
                ["model", "version"],
                multiprocess_mode="livemax",
                registry=registry,
            ),
            inbox=Gauge(
                "onje_inbox_waiting",
                "bodies of webhooks that wait to be parsed",
                multiprocess_mode="livemostrecent",
                registry=registry,
            ),
            inbox_age=Gauge(
                "onje_inbox_oldest_seconds",
                "how long the oldest of them has waited; 0: none waits",
                multiprocess_mode="livemostrecent",
                registry=registry,
            ),
            dead_kept=Gauge(
                "onje_dead_letters_kept",
                "dead letters that nobody has replayed or dropped",
                multiprocess_mode="livemostrecent",
                registry=registry,
            ),
            publication_age=Gauge(
                "onje_publication_age_seconds",
                "how long ago the lake was published to the store; NaN: never",
                multiprocess_mode="livemostrecent",
                registry=registry,
            ),
        )


def forget_the_dead() -> None:
    """Let figures of the moment that killed processes left behind count no more."""
    folder = os.environ.get(FOLDER)
    for file in Path(folder).glob("gauge_live*_*.db") if folder else ():
        pid = file.stem.rpartition("_")[2]
        if pid.isdecimal() and not _is_alive(int(pid)):
            mark_process_dead(int(pid), folder)  # type: ignore[no-untyped-call]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _seconds(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0
