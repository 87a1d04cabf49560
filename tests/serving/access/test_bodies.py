"""S3: what a body may be, before anything parses it."""

from __future__ import annotations

import gzip
import json
import time

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.access.bodies import DEEPEST, fault_of
from serving.access.scopes import MIB
from serving.app import create_app

QUESTION = {"request_id": "r1", "customer_id": "ann", "dry_run": True}
JSON = {"Content-Type": "application/json"}
TOO_DEEP = f"brackets in brackets, more than {DEEPEST} deep"
NUL = "a NUL character"
HALF = "half a character (a lone surrogate)"
NUMBER = "NaN or Infinity, which is no JSON"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"[" * 32 + b"]" * 32, None),
        (b"[" * 33 + b"]" * 33, TOO_DEEP),
        (b'{"a":' * 32 + b"1" + b"}" * 32, None),
        (b'[{"a":' * 17 + b"1" + b"}]" * 17, TOO_DEEP),
        (b"[[]," * 20 + b"[]" + b"]" * 20, None),
        (b'["' + b"[" * 99 + b'"]', None),
        (b'["\\"' + b"[" * 99 + b'"]', None),
        (b'["\\\\"' + b"," + b"[" * 33, TOO_DEEP),
        (b'"' + b"[" * 99, None),  # a string without an end is for the parser to refuse
        (b'"a\0b"', NUL),
        (rb'"\u0000"', NUL),
        (rb'"\\u0000"', None),
        (rb'"\\\u0000"', NUL),
        ('{"a": 1}'.encode("utf-16"), NUL),
        (rb'"\ud83d\ude00"', None),
        (rb'"\uD83D\uDE00"', None),
        (rb'"\ud83d"', HALF),
        (rb'"\ude00\ud83d"', HALF),
        (rb'"\ud83d\\\ude00"', HALF),
        (rb'"\\ud83d"', None),
        (b'"\xff"', "bytes that are not UTF-8"),
        (b'"\xed\xa0\x80"', "bytes that are not UTF-8"),
        (b'{"a": NaN}', NUMBER),
        (b'{"a": -Infinity}', NUMBER),
        (b'{"NaN": "Infinity"}', None),
    ],
)
def test_what_no_parser_should_see_is_found(body, found):
    assert fault_of(body) == found


def depth(value):
    inside = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, inside), default=0) if isinstance(value, dict | list) else 0


SCALARS = st.none() | st.booleans() | st.text() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(VALUES, st.integers(0, 40), st.booleans())
def test_whatever_is_json_passes_or_is_too_deep(value, deeper, is_ascii):
    for _ in range(deeper):
        value = [value]
    if "\0" in json.dumps(value, ensure_ascii=False) or "\\u0000" in json.dumps(value):
        return
    body = json.dumps(value, ensure_ascii=is_ascii).encode()
    assert fault_of(body) == (TOO_DEEP if depth(value) > DEEPEST else None)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.binary() | st.text(alphabet='[]{}"\\u0dDaN').map(str.encode))
def test_no_bytes_break_it(body):
    fault_of(body)


@pytest.mark.parametrize(
    "unit", [b"[", b"[]", b'"', b'"\\', b"\\", b"\\u", b"\\ud83d", b"[" * 500 + b"]" * 500, b"NaN"]
)
def test_a_hostile_mebibyte_takes_no_longer_than_its_length_asks(unit):
    body = unit * (MIB // len(unit))
    began = time.process_time()
    fault_of(body)
    assert time.process_time() - began < 0.5  # about 0.02; what is not linear takes minutes


def send(service, raw, headers=JSON, path="/v1/decide"):
    return service.send(method="POST", url=path, content=raw, headers=headers)


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(QUESTION | {"customer_id": "a\0b"}).encode(),
        b'{"a":' * 40 + b"1" + b"}" * 40,
        rb'{"request_id": "\ud83d", "customer_id": "ann"}',
        b'{"request_id": "r", "customer_id": "ann", "x": NaN}',
        b'{"request_id": "r", "customer_id": ' + b"9" * 5_000 + b"}",
        b"\xff",
    ],
)
@pytest.mark.parametrize("path", ["/v1/decide", "/v1/decide/batch", "/v1/events", "/v1/scores"])
def test_hostile_bodies_are_refused_on_every_path(service, raw, path):
    answer = send(service, raw, path=path)
    assert answer.status_code == 422, answer.text
    assert set(answer.json()) == {"code", "found", "do"}


def test_a_compressed_body_is_refused_unread(service):
    bomb = gzip.compress(b"[" * (50 * MIB))
    answer = send(service, bomb, JSON | {"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["code"]) == (415, "compressed")
    identity = JSON | {"Content-Encoding": "identity"}
    assert send(service, json.dumps(QUESTION).encode(), identity).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/vnd.shop+json", 200),
        ("application/vnd.bentoml+pickle", 415),
        ("text/plain", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ],
)
def test_only_json_is_read(service, kind, status):
    answer = send(service, json.dumps(QUESTION).encode(), {"Content-Type": kind})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("size", [MIB, MIB + 1])
@pytest.mark.parametrize("is_length_told", [True, False])
def test_a_body_may_be_one_mebibyte(service, size, is_length_told):
    body = json.dumps(QUESTION).encode().ljust(size)

    async def parts():
        for start in range(0, size, 50_000):
            yield body[start : start + 50_000]

    answer = send(service, body if is_length_told else parts())
    assert answer.status_code == (200 if size == MIB else 413)
    assert size == MIB or answer.json()["code"] == "too_large"


@pytest.mark.parametrize("length", ["9" * 30, "-1", "x", "1_0", "+7"])
def test_a_length_that_is_none_is_refused(service, length):
    request = httpx.Request("POST", "http://onje/v1/decide", content=b"{}", headers=JSON)
    headers = {**request.headers, "Content-Length": length}
    answer = service.send(method="POST", url="/v1/decide", content=b"{}", headers=headers)
    assert answer.status_code == 413


def test_every_list_that_is_taken_has_an_end():
    """Arrays <= 1,000: said by the description, and held by the models it is printed from."""
    description = create_app(lambda: None, routers=[]).openapi()
    bodies = [
        operation["requestBody"]["content"]["application/json"]["schema"]
        for path in description["paths"].values()
        for operation in path.values()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ]
    assert len(bodies) >= 4
    seen = set()

    def walk(schema):
        if isinstance(schema, list):
            for one in schema:
                walk(one)
        elif isinstance(schema, dict):
            if schema.get("type") == "array":
                assert schema.get("maxItems", 10**9) <= 1_000, schema
            if schema.get("type") == "object" and "additionalProperties" in schema:
                is_shut = schema["additionalProperties"] is False
                assert is_shut or schema.get("maxProperties", 10**9) <= 1_000, schema
            if (name := schema.get("$ref")) and name not in seen:
                seen.add(name)
                walk(description["components"]["schemas"][name.rsplit("/", 1)[1]])
            walk(list(schema.values()))

    walk(bodies)
    assert len(seen) >= 4
