"""S8: what looks like SQL, in every text of every operation, on both databases."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, inspect, select

from serving.store.tables import metadata
from tests.security.asked import OPERATIONS, body_of, request_of, texts_of
from tests.serving.api.service import publish, running

HOSTILE = [
    "' OR '1'='1", "'; DROP TABLE decisions; --", '"; DELETE FROM events; --',
    "1); TRUNCATE histories CASCADE; --", "') UNION SELECT secret_hash FROM keys --",
    "x' AND 1=CAST((SELECT version()) AS int) --", "\\'; UPDATE keys SET revoked_at=NULL; --",
    "%' OR 1=1 --", "%(name)s", ":customer_id", "{0}", "$1; SELECT pg_sleep(5)", "`; VACUUM; `",
    "'||(SELECT load_extension('x'))||'", "ann'/**/OR/**/1=1#", "\u02bc; DROP TABLE events; --",
]  # fmt: skip
PLACES = [
    (path, method, where, place)
    for path, method in OPERATIONS
    for where, place in texts_of(path, method)
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def service(request, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").new_database()
    with running(home, store_url=url) as service:
        publish(service)
        service.decide("kept")
        yield service


def rows_of(service):
    """How many rows each table has, and which tables there are."""
    with service.live.store._connections.reading() as connection:
        there = set(inspect(connection).get_table_names())
        counts = {
            table.name: connection.scalar(select(func.count()).select_from(table))
            for table in metadata.sorted_tables
        }
    return there, counts


def test_every_text_is_found():
    assert {place[-1] for *_, place in PLACES} > {
        "request_id", "customer_id", "emails", "query", "source", "token", "decision_id", 0,
        "colour", "event_id", "currency", "as",
    } - {"emails"}  # fmt: skip
    assert {path for path, *_ in PLACES} >= {path for path, method in OPERATIONS if "{" in path}
    assert len(PLACES) > 50


def test_what_is_asked_here_is_valid_until_it_is_spoilt(service):
    for path, method in OPERATIONS:
        if body_of(path, method) is not None:
            answer = service.send(**request_of(path, method))
            assert answer.status_code == 200, (path, answer.text)
            assert not answer.json().get("rejected")


@pytest.mark.parametrize(("path", "method", "where", "place"), PLACES, ids=str)
def test_no_row_is_lost_and_nothing_breaks(service, path, method, where, place):
    there, before = rows_of(service)
    for text in HOSTILE:
        answer = service.send(**request_of(path, method, where, place, text))
        assert answer.status_code < 500, answer.text
    there_now, now = rows_of(service)
    assert there_now == there
    lost = {name: count - now[name] for name, count in before.items() if now[name] < count}
    assert not lost
    # What was asked about one made-up customer is kept about them alone: a few rows a question.
    assert all(now[name] - before[name] <= 4 * len(HOSTILE) for name in now)


def test_what_looks_like_sql_is_kept_as_it_is(service):
    path = "/v1/customers/{customer_id}"
    for number, text in enumerate(HOSTILE):
        customer_id = f"kept {text}"  # as it is, an erased one has this name by now
        service.decide(f"as-it-is-{number}", customer_id)
        found = service.send(**request_of(path, "get", "path", ("customer_id",), customer_id))
        assert (found.status_code, found.json()["customer_id"]) == (200, customer_id)


def test_whatever_text_a_customer_is_called(service):
    @settings(
        max_examples=40, deadline=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=255))
    def ask(text):
        there, before = rows_of(service)
        body = {"request_id": "dry", "customer_id": text, "dry_run": True}
        answer = service.post("/v1/decide", body)
        assert answer.status_code == (422 if "\0" in text else 200)
        assert rows_of(service) == (there, before)

    ask()
