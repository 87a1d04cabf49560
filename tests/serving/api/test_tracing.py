"""Traces: `[service] tracing_share`, the spans of a request, and what it costs when it is off."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from features.errors import SettingsError
from serving.tracing import EXPORTER, SPAN, SWITCH, open_tracing
from tests.serving.api.service import publish, running

ROOT = Path(__file__).parents[3]
ABOVE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter(monkeypatch):
    exporter = InMemorySpanExporter()
    monkeypatch.setattr("serving.tracing._exporter", lambda _name: exporter)
    # As `onje serve` sets it, so that BentoML traces nothing by itself.
    monkeypatch.setenv(SWITCH, "true")
    return exporter


def spans(tmp_path, exporter, ask, *, tracing_share=1.0):
    """The spans, by name, that are handed over when a service has stopped."""
    patches = [{"service": {"tracing_share": tracing_share}}]
    with running(tmp_path, patches=patches) as service:
        publish(service)
        ask(service)
    return list(exporter.get_finished_spans())


def test_a_request_has_a_span_and_below_it_what_its_pass_did(tmp_path, exporter):
    told = {}
    found = spans(tmp_path, exporter, lambda service: told.update(service.decide("r1")))
    [request] = [one for one in found if one.parent is None]
    assert request.name == "POST /v1/decide"
    assert dict(request.attributes) == {
        "http.request.method": "POST", "http.route": "/v1/decide",
        "http.response.status_code": 200, "onje.request_id": request.attributes["onje.request_id"],
        "onje.decision_ids": (told["decision_id"],),
    }  # fmt: skip
    below = [one for one in found if one.parent and one.parent.span_id == request.context.span_id]
    assert len(below) == len(found) - 1
    assert {one.name for one in below} == {"wait", "read", "scores", "deciding", "record"}
    for one in below:
        # The line is left by another clock than it was entered by: to a millisecond.
        assert request.start_time - 1e6 <= one.start_time <= one.end_time <= request.end_time
    assert sum(one.end_time - one.start_time for one in below if one.name == "deciding") > 1e6


def test_all_who_share_a_pass_have_its_stages(tmp_path, exporter):
    def ask(service):
        calls = [
            ("POST", "/v1/decide", {"request_id": f"r{n}", "customer_id": f"c{n}"})
            for n in range(4)
        ]
        assert {one.status_code for one in service.at_once(calls)} == {200}

    found = spans(tmp_path, exporter, ask)
    requests = [one for one in found if one.parent is None]
    assert len(requests) == 4
    for request in requests:
        names = [
            one.name
            for one in found
            if one.parent and one.parent.span_id == request.context.span_id
        ]
        assert {"wait", "read", "scores", "deciding", "record"} <= set(names)


def test_the_callers_trace_goes_on(tmp_path, exporter):
    def ask(service):
        service.send(method="GET", url="/v1/health", headers={"traceparent": ABOVE})

    [request] = spans(tmp_path, exporter, ask)
    assert f"{request.context.trace_id:032x}" == ABOVE.split("-")[1]


def test_no_span_names_a_customer(tmp_path, exporter):
    def ask(service):
        service.get("/v1/customers/customer-1723?who=customer-1723")
        service.decide("1723", "customer-1723")
        service.send(method="CUSTOMER-1723", url="/v1/decide")

    found = spans(tmp_path, exporter, ask)
    assert len(found) > 5
    assert "1723" not in "".join(one.to_json() for one in found)


@pytest.mark.parametrize(("tracing_share", "least", "most"), [(0.0, 0, 0), (0.3, 20, 100)])
def test_so_many_are_traced(tmp_path, exporter, tracing_share, least, most):
    def ask(service):
        for _ in range(200):
            service.get("/livez")

    found = spans(tmp_path, exporter, ask, tracing_share=tracing_share)
    assert least <= len(found) <= most


def test_off_nothing_of_the_sdk_is_loaded():
    code = (
        "import sys\nimport serving.app\nfrom serving.tracing import open_tracing\n"
        "assert open_tracing(0.0) is None\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr
    assert SPAN.get() is None


def test_an_exporter_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv(EXPORTER, "carrier_pigeon")
    with pytest.raises(SettingsError, match="no exporter 'carrier_pigeon' is installed; pip"):
        open_tracing(0.5)
