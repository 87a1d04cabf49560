"""S9: nothing of a customer in logs, figures, errors, traces or what MLflow keeps."""

from __future__ import annotations

import io
import json
import logging

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pipelines.signatures import signed
from serving import logs
from serving.logs import write_logs
from tests.security.asked import OPERATIONS, request_of, texts_of
from tests.security.conftest import SECRET
from tests.serving.api.service import publish, running

# Each a word that stands nowhere else; also as they look when they are quoted or escaped.
CANARIES = {
    "email": "zanzibar.canary@example.com", "phone": "+82-10-7261-7261",
    "name": "Zanzibarine Qwertzova", "id": "canary-7261",
}  # fmt: skip
TRACKS = ("zanzibar", "canary", "7261-7261", "72617261", "qwertzova")
EVERYTHING = " ".join(CANARIES.values())


def hits(text):
    return [track for track in TRACKS if track in text.lower()]


@pytest.fixture
def written():
    """All that is logged, of whatever level, by everybody, in both forms."""
    sinks = {form: io.StringIO() for form in logs.FORMS}
    root = logging.getLogger()
    before, level = root.handlers, root.level
    shut = {name: logging.getLogger(name).disabled for name in ("uvicorn.access",)}
    write_logs("json", sinks["json"])
    text = logging.StreamHandler(sinks["text"])
    text.setFormatter(logs.FORMS["text"]())
    root.addHandler(text)
    root.setLevel(logging.DEBUG)
    logging.getLogger("onje").setLevel(logging.DEBUG)
    # What httpx and hypothesis tell of the tests' own doing is none of the service's.
    quiet = [logging.getLogger(name) for name in ("httpx", "httpcore", "hypothesis", "asyncio")]
    for one in quiet:
        one.setLevel(logging.WARNING)
    yield sinks
    root.handlers = before
    root.setLevel(level)
    logging.captureWarnings(False)
    logging.getLogger("onje").setLevel(logging.NOTSET)
    for one in quiet:
        one.setLevel(logging.NOTSET)
    for name, was in shut.items():
        logging.getLogger(name).disabled = was


@pytest.fixture
def spans(monkeypatch):
    exporter = InMemorySpanExporter()
    monkeypatch.setattr("serving.tracing._exporter", lambda _name: exporter)
    return exporter


@pytest.fixture
def service(tmp_path, written, spans):
    from pipelines.hooks import generic

    patches = [{"service": {"access_log_share": 1.0, "tracing_share": 1.0}}]
    with running(tmp_path, patches=patches, hooks=[generic.hook([SECRET])]) as service:
        publish(service)
        yield service


def assert_silent(written, *more):
    for form, sink in written.items():
        lines = [line for line in sink.getvalue().splitlines() if hits(line)]
        assert not lines, (form, lines[:3])
    for text in more:
        assert not hits(text), text[:2000]


def ask_everything(service):
    """Every operation, with canaries in each text of it; yields what was asked and answered."""
    headers = {
        "X-Request-Id": CANARIES["email"], "User-Agent": CANARIES["name"],
        "traceparent": CANARIES["phone"], "Referer": f"https://{CANARIES['email']}/",
    }  # fmt: skip
    for path, method in OPERATIONS:
        for where, place in [("", ()), *texts_of(path, method)]:
            for canary in CANARIES.values():
                request = request_of(path, method, where, place, canary)
                request["params"] = {**request.get("params", {}), "debug": canary}
                yield path, service.send(**request, headers=headers)
            # And as somebody without a key, or of a body that is none.
            yield path, service.ask_as([("X-Request-Id", CANARIES["phone"])], **request)


def test_whatever_is_asked_nothing_of_it_is_written(service, written, spans):
    errors = []
    for path, answer in ask_everything(service):
        assert answer.status_code < 500, (path, answer.text)
        assert not hits(str(answer.headers.raw)), (path, answer.headers)
        if answer.status_code >= 400:
            errors.append(answer.text)
    figures = service.get("/metrics").text
    assert len(errors) > 50
    service.app.state.tracing._provider.force_flush()
    told = "".join(one.to_json() for one in spans.get_finished_spans())
    assert "/v1/customers/{customer_id}" in told
    assert "onje_request_seconds_count" in figures
    lines = [json.loads(line) for line in written["json"].getvalue().splitlines()]
    assert len([line for line in lines if line["logger"] == "onje.access"]) > 200
    assert_silent(written, figures, told, *errors)


def test_events_with_attributes_and_webhooks_that_break_write_nothing(service, written):
    attributes = {**CANARIES, CANARIES["email"]: CANARIES["phone"]}
    event = {"customer_id": CANARIES["id"], "kind": "view", "attributes": attributes}
    broken = [
        event | {"kind": CANARIES["name"]}, event | {"quantity": CANARIES["phone"]},
        event | {CANARIES["email"]: 1}, {**event, "at": CANARIES["name"]}, CANARIES["name"],
        event | {"kind": "order"},
    ]  # fmt: skip
    answer = service.post("/v1/events", {"events": [event, *broken]})
    assert answer.json()["accepted"] == 1
    for body in (
        json.dumps({"events": [event, *broken]}).encode(), EVERYTHING.encode(),
        json.dumps(EVERYTHING).encode(), b'{"events": ["' + EVERYTHING.encode(),
    ):  # fmt: skip
        told = signed(SECRET, identity="d-1", at=service.now, body=body)
        assert service.send(
            method="POST", url="/v1/hooks/generic", content=body, headers=told
        ).is_success
        wrong = told | {"webhook-signature": f"v1,{CANARIES['email']}"}
        answer = service.send(method="POST", url="/v1/hooks/generic", content=body, headers=wrong)
        assert answer.status_code == 401
        assert not hits(answer.text)
    for _ in range(100):
        if not service.live.store.delivery_counts()["waiting"]:
            break
        service.wait(0.05)
    assert service.live.store.delivery_counts()["dead"] > 3
    # The reasons are for `onje dead-letters`, which shows bodies on request; they quote none.
    reasons = [one.reason for one in service.live.store.dead_letters(numbers=None, source=None)]
    assert_silent(written, service.get("/metrics").text, *reasons)


FAILING = [
    ("serving.batching.decide_together", "/v1/decide"),
    ("serving.deciding.scores_of", "/v1/decide"),
    ("serving.routes.customers.score_view", "/v1/customers/{customer_id}"),
    ("serving.routes.events.as_told", "/v1/events"),
    ("serving.store.store.decided.record", "/v1/decide"),
    ("serving.store.inbox.to_lines", "/v1/events"),
]


@pytest.mark.parametrize(("what", "path"), FAILING)
def test_what_fails_with_a_value_in_its_error_writes_where_and_not_what(
    service, written, monkeypatch, what, path
):
    def broken(*_args, **_more):
        raise KeyError(EVERYTHING)

    monkeypatch.setattr(what, broken)
    method = "get" if "{" in path else "post"
    for where, place in texts_of(path, method):
        if place[-1] != "customer_id":
            continue
        answer = service.send(**request_of(path, method, where, place, CANARIES["id"]))
        assert answer.status_code == 500, answer.text
        assert_silent(written, answer.text, service.get("/metrics").text)
        # As the server writes it, which gets the error itself.
        try:
            broken()
        except KeyError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    assert "KeyError" in written["json"].getvalue()
    assert_silent(written)


def test_a_store_that_fails_says_no_value(service, written, monkeypatch):
    from sqlalchemy import text

    store = service.live.store
    with store._connections.writing() as connection:
        connection.execute(text("DROP TABLE revisions"))
    asked = {"request_id": EVERYTHING, "customer_id": CANARIES["id"]}
    answer = service.post("/v1/decide", asked)
    # The answer is about this question; what is written is about the store.
    assert answer.status_code in (200, 500, 503)
    assert service.post("/v1/events", {"events": [{"customer_id": CANARIES["id"], "kind": "view"}]})
    assert written["json"].getvalue()
    assert_silent(written)


def test_a_line_with_the_body_would_be_found(service, written, monkeypatch):
    """The guard itself: whoever logs what was asked makes these tests fail."""
    from serving.routes import events

    kept = events._keep

    def talkative(told, live, now):
        logging.getLogger("onje").info("told %s", told)
        return kept(told, live, now)

    monkeypatch.setattr(events, "_keep", talkative)
    service.post("/v1/events", {"events": [{"customer_id": CANARIES["id"], "kind": "view"}]})
    with pytest.raises(AssertionError):
        assert_silent(written)
