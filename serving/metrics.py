"""What an operator counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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
        )
