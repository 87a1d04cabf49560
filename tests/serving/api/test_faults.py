from __future__ import annotations

import logging
import sqlite3
from datetime import timedelta

import pytest

from tests.serving.api.service import CART, NOON

CANARY = "canary-7d1f"
QUESTION = {"request_id": "r1", "customer_id": "ann"}


def is_fault(answer):
    return set(answer.json()) == {"code", "found", "do"}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "request_id"),
        (QUESTION | {"customer": "x"}, "customer"),
        (QUESTION | {"request_id": ""}, "request_id"),
        (QUESTION | {"request_id": "x" * 256}, "request_id"),
        (QUESTION | {"customer_id": "a\0b"}, "NUL"),
        (QUESTION | {"customer_id": 7}, "customer_id"),
        (QUESTION | {"earliest": "2024-05-01T12:00:00"}, "earliest"),
        (QUESTION | {"earliest": "0001-01-01T00:00:00+14:00"}, "earliest"),
        (QUESTION | {"earliest": "2024-05-02T00:00Z", "deadline": "2024-05-01T00:00Z"}, "swap"),
        (QUESTION | {"earliest": (NOON + timedelta(days=31)).isoformat()}, "30 days ahead"),
        (QUESTION | {"emails": []}, "emails"),
        (QUESTION | {"context": {"events": [{"kind": "vanish"}]}}, "context.events.0.kind"),
    ],
)
def test_what_is_wrong_with_a_question_is_named(service, body, named):
    answer = service.post("/v1/decide", body)
    assert answer.status_code == 422
    assert is_fault(answer)
    assert named in answer.json()["found"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"request_id": "\\ud800", "customer_id": "ann"}',
        b'{"request_id": "r", "customer_id": "ann", "context": NaN}',
        b"[" * 100_000,
        b'{"request_id": ' + b"9" * 5_000 + b"}",
    ],
)
def test_hostile_bytes_are_refused_not_crashed_on(service, raw):
    answer = send_raw(service, raw)
    assert answer.status_code == 422
    assert is_fault(answer)


@pytest.mark.parametrize("is_length_told", [True, False])
def test_a_body_over_1_mib_is_refused(service, is_length_told):
    async def chunks():
        for _ in range(110):
            yield b"x" * 10_000

    answer = send_raw(service, b"x" * 1_100_000 if is_length_told else chunks())
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/nothing", 404),
        ("OPTIONS", "/nothing/at/all", 404),
        ("GET", "/v1/decide/", 404),
        ("GET", "/v1/decide", 405),
        ("GET", "/v1/decisions/00000000-0000-0000-0000-000000000000", 404),
        ("POST", "/v1/decisions/00000000-0000-0000-0000-000000000000/cancel", 404),
        ("GET", "/v1/decisions/not-an-id", 422),
        ("GET", "/v1/customers/nobody", 404),
        ("GET", "/v1/customers/%00", 422),
    ],
)
def test_every_error_has_one_shape(service, method, path, status):
    [answer] = service.at_once([(method, path, None)])
    assert answer.status_code == status
    assert is_fault(answer)


def test_what_was_sent_reaches_neither_log_nor_error(service, caplog):
    caplog.set_level(logging.DEBUG, logger="onje")
    bodies = [
        QUESTION | {"customer_id": [CANARY]},
        QUESTION | {"earliest": CANARY},
        {"events": [{"kind": CANARY, "customer_id": CANARY}]},
    ]
    answers = [service.post(path, b) for path in ("/v1/decide", "/v1/events") for b in bodies]
    assert CANARY not in caplog.text
    assert not any(CANARY in answer.text for answer in answers)


def test_a_fault_of_ours_is_told_without_its_inside(service, caplog, monkeypatch):
    def broken(*_args, **_more):
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr("serving.batching.decide_together", broken)
    answer = service.post("/v1/decide", QUESTION)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert CANARY not in answer.text
    assert "ZeroDivisionError on /v1/decide" in caplog.text
    assert CANARY not in caplog.text


def test_a_fault_before_there_is_a_route_is_told_in_the_same_shape(service, caplog, monkeypatch):
    async def broken(*_args):
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr("serving.access.gate.Gate.__call__", broken)
    answer = service.get(f"/v1/customers/{CANARY}")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "ZeroDivisionError on no route yet" in caplog.text
    assert CANARY not in caplog.text


@pytest.fixture
def locked(service, tmp_path):
    """Another process holds the write lock of the store."""
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def test_with_an_unwritable_store_the_answer_is_to_wait(service, locked):
    answer = service.decide("r1")
    assert answer["action"] == "wait"
    assert [reason["code"] for reason in answer["because"]] == ["store_unavailable"]
    locked.execute("ROLLBACK")
    assert service.get("/v1/customers/ann").json()["recent_decisions"] == []
    assert service.decide("r1")["because"][0]["code"] != "store_unavailable"


def test_events_that_cannot_be_kept_are_not_acknowledged(service, locked):
    answer = service.post("/v1/events", {"events": [CART]})
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert answer.headers["Retry-After"] == "5"
    locked.execute("ROLLBACK")
    assert service.tell(CART)["accepted"] == 1


def test_after_the_store_was_deleted_nothing_is_acknowledged(service, tmp_path):
    for part in tmp_path.glob("store.db*"):
        part.unlink()
    answer = service.post("/v1/events", {"events": [CART]})
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    answer = service.decide("r1")
    assert (answer["action"], answer["because"][0]["code"]) == ("wait", "store_unavailable")


def send_raw(service, raw):
    headers = {"content-type": "application/json"}
    return service.send(method="POST", url="/v1/decide", content=raw, headers=headers)
