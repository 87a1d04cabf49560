"""What an operator sees of deciding unasked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from features.errors import NotReadyError

# From five seconds, where most lie, to an output that was away for a day.
SECONDS = (1, 2, 5, 7.5, 10, 15, 20, 30, 45, 60, 120, 300, 900, 3600, 14_400, 86_400)


@dataclass(frozen=True)
class FollowMetrics:
    """Without any value of a customer in their labels."""

    lag: Gauge
    due: Gauge
    decided: Counter
    handed: Counter
    after: Histogram
    waiting: Gauge

    @classmethod
    def on(cls, registry: CollectorRegistry) -> Self:
        return cls(
            lag=Gauge(
                "onje_follow_lag_seconds",
                "for how long the first of those who are due has been",
                registry=registry,
            ),
            due=Gauge(
                "onje_follow_due", "customers who are due to be decided on", registry=registry
            ),
            decided=Counter(
                "onje_follow_decided",
                "decisions that nobody asked for, by what became of it",
                ["outcome"],
                registry=registry,
            ),
            handed=Counter(
                "onje_output_handed",
                "parcels tried, by output, kind and what became of it",
                ["output", "kind", "state"],
                registry=registry,
            ),
            after=Histogram(
                "onje_output_after_seconds",
                "from what happened to its decision delivered",
                ["output"],
                buckets=SECONDS,
                registry=registry,
            ),
            waiting=Gauge(
                "onje_output_parcels",
                "parcels in the outbox, by output and state",
                ["output", "state"],
                registry=registry,
            ),
        )


def serve_metrics(port: int, registry: CollectorRegistry) -> None:
    """Show the figures to this machine for as long as the process lives; 0: to nobody."""
    if not port:
        return
    try:
        start_http_server(port, "127.0.0.1", registry)
    except OSError as problem:
        raise NotReadyError(
            f"nothing can listen on 127.0.0.1:{port}: {problem.strerror}; set another "
            "metrics_port of [follow], or 0: two followers of one machine cannot share one"
        ) from problem
