"""Traces of requests (OpenTelemetry): a span for each, below it what its pass spent its time on.

Where no request is traced, nothing of OpenTelemetry's SDK is loaded and a request pays nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import entry_points
from time import time_ns
from typing import TYPE_CHECKING, Any

from features.errors import SettingsError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

# OpenTelemetry's own variables: what takes the spans, and what switches all of it off.
EXPORTER = "OTEL_TRACES_EXPORTER"
SWITCH = "OTEL_SDK_DISABLED"


@dataclass(frozen=True)
class Stage:
    """Something that a pass spent time on, in nanoseconds since 1970."""

    name: str
    began: int
    ended: int


# Where the stages of this pass are noted; None where nobody traces any request in it.
STAGES: ContextVar[list[Stage] | None] = ContextVar("stages", default=None)
# The span of the request that is being answered; None where it is not traced.
SPAN: ContextVar[Span | None] = ContextVar("span", default=None)


class Tracing:
    """Makes spans of a share of requests and hands them to an exporter, beside everything else."""

    def __init__(self, share: float, exporter: SpanExporter) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

        # Whatever a caller's own trace says of being recorded: the share is the operator's.
        with _switched_on():
            self._provider = TracerProvider(
                sampler=TraceIdRatioBased(share),
                resource=Resource.create({"service.name": "onje"}),
                shutdown_on_exit=False,
            )
            self._tracer = self._provider.get_tracer("onje")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))

    @contextmanager
    def request(self, headers: Mapping[str, str], method: str) -> Iterator[Span | None]:
        """The span of a request, a child of its caller's where `traceparent` names one."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        above = TraceContextTextMapPropagator().extract(headers)
        span = self._tracer.start_span(method, above, SpanKind.SERVER)
        token = SPAN.set(span if span.is_recording() else None)
        try:
            yield SPAN.get()
        finally:
            SPAN.reset(token)
            span.end()

    def tell(self, span: Span, stages: Sequence[Stage]) -> None:
        """Put what a pass did below the span of one of its requests."""
        below = _below(span)
        for stage in stages:
            child = self._tracer.start_span(stage.name, below, start_time=stage.began)
            child.end(stage.ended)

    def close(self) -> None:
        """Hand over what is left."""
        self._provider.shutdown()


def open_tracing(share: float) -> Tracing | None:
    """Tracing of this share of requests by what the environment names; None for no share."""
    return Tracing(share, _exporter(os.environ.get(EXPORTER) or "otlp")) if share else None


def _exporter(name: str) -> SpanExporter:
    found = entry_points(group="opentelemetry_traces_exporter", name=name)
    for entry in found:
        made: SpanExporter = entry.load()()
        return made
    raise SettingsError(
        f"[service] tracing_share asks for traces, and no exporter {name!r} is installed; "
        "pip install opentelemetry-exporter-otlp-proto-http and set "
        f"{EXPORTER}=otlp_proto_http, or set {EXPORTER}=console, or tracing_share = 0"
    )


@contextmanager
def noted(name: str) -> Iterator[None]:
    """Note this as a stage of the pass, where its stages are wanted."""
    stages = STAGES.get()
    if stages is None:
        yield
        return
    began = time_ns()
    try:
        yield
    finally:
        stages.append(Stage(name, began, time_ns()))


def _below(span: Span) -> Context:
    from opentelemetry.trace import set_span_in_context

    return set_span_in_context(span)


@contextmanager
def _switched_on() -> Iterator[None]:
    """BentoML's own tracing, which is dear, stays switched off; ours is not it."""
    before: Any = os.environ.pop(SWITCH, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[SWITCH] = before
