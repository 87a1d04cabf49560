"""What is written of requests: `[service] log`, and what belongs to each line."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest

from serving import logs
from serving.logs import FORMS, trace_of, write_logs
from tests.serving.api.service import publish, running

EACH = [{"service": {"access_log_share": 1.0}}]


@pytest.fixture
def written():
    """What the process writes once `write_logs` was called; its logging is as before afterwards."""
    names = (*logs.STRANGERS, "uvicorn.access", "onje", "py.warnings")
    loggers = [logging.getLogger(), *map(logging.getLogger, names)]
    before = [(one, one.handlers, one.propagate, one.level, one.disabled) for one in loggers]
    sink = io.StringIO()
    yield sink
    logging.captureWarnings(False)
    for one, handlers, propagate, level, disabled in before:
        one.handlers, one.propagate, one.level, one.disabled = handlers, propagate, level, disabled


@pytest.fixture
def service(tmp_path):
    with running(tmp_path, patches=EACH) as service:
        publish(service)
        yield service


def lines_of(sink):
    return [json.loads(line) for line in sink.getvalue().splitlines()]


def access(sink):
    return [line for line in lines_of(sink) if line["logger"] == "onje.access"]


def listen(sink, form="json"):
    write_logs(form, sink)
    logging.getLogger("onje").setLevel(logging.INFO)


def test_a_request_is_one_line_of_json_with_its_ids(service, written):
    listen(written)
    decision = service.decide("r1")
    told = service.get(f"/v1/decisions/{decision['decision_id']}/valid")
    [asked, checked] = access(written)
    assert asked.keys() == {
        "at", "level", "logger", "message", "process", "request_id", "method", "route", "status",
        "ms", "decision_ids",
    }  # fmt: skip
    assert asked["decision_ids"] == checked["decision_ids"] == [decision["decision_id"]]
    assert (asked["method"], asked["route"], asked["status"]) == ("POST", "/v1/decide", 200)
    assert checked["route"] == "/v1/decisions/{decision_id}/valid"
    assert checked["request_id"] == told.headers["x-request-id"] != asked["request_id"]


def test_of_a_list_some_decisions_are_named(service, written):
    listen(written)
    questions = [{"request_id": f"q{n}", "customer_id": f"c{n}"} for n in range(30)]
    answers = service.post("/v1/decide/batch", {"requests": questions}).json()["answers"]
    [line] = access(written)
    assert line["decision_ids"] == [one["decision_id"] for one in answers[:20]]


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [
        ("7f3a9c2e-1111-4222-8333-abcdefabcdef", True), ("01J9ZQ4W6Y5T", True),
        ("ann@example.com", False), ("010-1234-5678", False), ("", False), ("a b c d e f", False),
        ("x" * 65, False), ("ann", False), ("Ünîcode-id-1", False), ('a"b\\nccccccc', False),
    ],
)  # fmt: skip
def test_the_id_of_a_request_is_the_callers_where_it_can_be_one(service, given, is_taken):
    raw = [(b"X-Request-Id", given.encode())]
    answer = service.send(method="GET", url="/livez", headers=raw)
    assert (answer.headers["x-request-id"] == given) == is_taken
    assert re.fullmatch(r"[\w.-]{8,64}", answer.headers["x-request-id"], re.ASCII)


def test_whoever_is_turned_away_is_told_an_id_too(service):
    answer = service.ask_as([], method="GET", url="/v1/health")
    assert answer.status_code == 401
    assert answer.headers["x-request-id"]


def test_what_goes_wrong_is_written_under_the_id_of_its_request(service, written, monkeypatch):
    def broken(*_args, **_more):
        raise KeyError("ann@example.com")

    listen(written)
    monkeypatch.setattr(service.live.store, "decision", broken)
    answer = service.get("/v1/decisions/00000000-0000-0000-0000-000000000000")
    assert answer.status_code == 500
    assert "KeyError on /v1/decisions/{decision_id}" in [
        one["message"] for one in lines_of(written)
    ]
    assert {one["request_id"] for one in lines_of(written)} == {answer.headers["x-request-id"]}
    assert "ann@" not in written.getvalue()


def test_what_a_pass_of_many_writes_is_of_no_single_request(service, written, monkeypatch):
    listen(written)
    object.__setattr__(service.live.store._connections, "look", lambda: "it is gone")
    assert service.decide("r1")["because"][0]["code"] == "store_unavailable"
    of_pass = [one for one in lines_of(written) if "it is gone" in one["message"]]
    assert of_pass
    assert not [one for one in of_pass if "request_id" in one]


def fail():
    try:
        raise ValueError("ann@example.com")
    except ValueError as cause:
        raise KeyError("010-1234-5678") from cause


def test_a_traceback_names_places_and_nothing_that_was_said(written):
    listen(written)
    log = logging.getLogger("uvicorn.error")
    try:
        fail()
    except KeyError:
        log.exception("Exception in ASGI application")
    [line] = lines_of(written)
    assert line["trace"][0] == "KeyError"
    assert any("test_logs.py" in one and "in fail" in one for one in line["trace"])
    assert "ValueError" in line["trace"]
    assert "ann@" not in written.getvalue()
    assert "1234" not in written.getvalue()


def test_errors_of_a_group_are_named_and_the_systems_own_words_are_kept():
    group = ExceptionGroup("ann", [KeyError("ann"), FileNotFoundError(2, "No such file", "/ann")])
    assert [*trace_of(group)] == ["ExceptionGroup", "KeyError", "FileNotFoundError (No such file)"]


def test_a_task_that_nobody_waited_for_tells_no_value(written):
    listen(written)
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: %r", "ann@x")
    assert "ann@" not in written.getvalue()


@pytest.mark.parametrize("name", [*logs.STRANGERS, "polars", "py.warnings"])
def test_libraries_write_in_the_same_form(written, name):
    listen(written)
    logging.getLogger(name).warning("careful")
    [line] = lines_of(written)
    assert (line["logger"], line["message"], line["level"]) == (name, "careful", "warning")


def test_uvicorns_own_lines_of_requests_are_off(written):
    listen(written)
    logging.getLogger("uvicorn.access").error("GET /v1/customers/ann 200")
    assert not written.getvalue()


@pytest.mark.parametrize("log", FORMS)
def test_the_setting_says_in_which_form(service, written, log):
    listen(written, log)
    service.decide("r1")
    [line] = [one for one in written.getvalue().splitlines() if "onje.access" in one]
    assert line.startswith("{") == (log == "json")
    if log == "text":
        assert re.search(
            r" INFO onje.access: POST /v1/decide 200 \d+\.\d ms request_id=\w+ deci", line
        )


def test_an_id_in_a_decision_is_found_where_it_stands_first():
    token = logs.DECISION_IDS.set([])
    try:
        logs.note_decisions([b'{"decision_id":"' + b"0" * 36 + b'","request_id":"x"}', b"{}"])
        assert logs.DECISION_IDS.get() == ["0" * 36]
    finally:
        logs.DECISION_IDS.reset(token)


def test_who_is_not_logged_pays_for_nothing():
    logs.note_decisions([b"not even looked at"])
    assert logs.DECISION_IDS.get() is None
