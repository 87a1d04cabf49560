"""Erasing and exporting a customer over HTTP."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from serving.store.erasure import ERASERS, HOLD_NOBODY
from serving.store.tables import metadata
from tests.serving.api.service import CART, NOON, publish, running


@pytest.fixture
def service(tmp_path):
    with running(tmp_path) as service:
        publish(service)
        yield service


def erase(service, customer_id="ann"):
    answer = service.send(method="DELETE", url=f"/v1/customers/{customer_id}")
    assert answer.status_code in (200, 202), answer.text
    service.pass_time(seconds=1)
    return answer


def rows_that_hold(service, text):
    """Every table with a row that holds the text as a word somewhere, bytes included."""
    found = set()
    with service.live.store._connections.reading() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(table.select()):
                said = repr(tuple(row))
                if re.search(rf"(?<![a-z]){text}(?![a-z])", said):
                    found.add(table.name)
    return found


def test_every_table_is_erased_from_or_said_to_hold_nobody():
    tables = {table.name: set(table.columns.keys()) for table in metadata.sorted_tables}
    assert tables.keys() == ERASERS.keys() | HOLD_NOBODY.keys()
    assert not ERASERS.keys() & HOLD_NOBODY.keys()
    assert not [name for name in HOLD_NOBODY if "customer_id" in tables[name]]


def test_nothing_is_left_in_the_store_but_a_keyed_hash(service):
    service.tell(CART, CART | {"kind": "complaint", "channel": "email", "product_id": None})
    service.decide("q1")
    assert len(rows_that_hold(service, "ann")) >= 5  # else the test would see nothing go

    said = erase(service).json()

    assert rows_that_hold(service, "ann") == set()
    assert rows_that_hold(service, said["name"]) == {"erased"}
    assert said["swept_at"] is None
    assert service.get("/v1/customers/ann").status_code == 404
    assert service.get("/v1/customers/ann/export").status_code == 404


def test_a_mail_that_was_under_way_is_valid_no_more_at_once(service):
    service.tell(CART)
    send = service.decide("q1")
    assert send["action"] == "send"
    assert service.get(f"/v1/decisions/{send['decision_id']}/valid").json()["valid"]

    erase(service)

    said = service.get(f"/v1/decisions/{send['decision_id']}/valid").json()
    assert (said["valid"], said["because"][0]["code"]) == (False, "erased")
    assert service.get(f"/v1/decisions/{send['decision_id']}").status_code == 404


def test_whoever_was_erased_is_answered_wait_and_nothing_is_kept(service):
    erase(service)
    said = service.decide("q2")
    assert (said["action"], said["because"][0]["code"]) == ("wait", "erased")
    together = service.post(
        "/v1/decide/batch",
        {"requests": [{"request_id": f"b{n}", "customer_id": n} for n in ("ann", "bob")]},
    ).json()["answers"]
    assert [one["because"][0]["code"] == "erased" for one in together] == [True, False]
    service.decide("q3", dry_run=True)
    labels = {"action": "wait", "reason": "erased", "degraded": "false"}
    counted = service.live.registry.get_sample_value("onje_decisions_total", labels)
    assert counted == 2  # not the dry run
    assert rows_that_hold(service, "ann") == set()


def test_an_old_log_brings_nobody_back_and_says_so(service):
    erase(service)
    old = [CART, CART | {"kind": "consent", "reason": "granted", "channel": "email"}]
    told = service.tell(*old, CART | {"customer_id": "bob"})
    assert (told["accepted"], [one["index"] for one in told["rejected"]]) == (1, [0, 1])
    assert {one["fault"]["code"] for one in told["rejected"]} == {"erased_customer"}
    assert rows_that_hold(service, "ann") == set()
    publish(service)  # a lake that still holds her
    assert rows_that_hold(service, "ann") == set()


def test_a_consent_given_since_begins_a_new_life_that_knows_nothing_of_the_old(service):
    erase(service)
    yes = {"customer_id": "ann", "kind": "consent", "reason": "granted", "channel": "email"}
    fresh = yes | {"at": (NOON + timedelta(seconds=1)).isoformat()}
    told = service.tell(CART, fresh)
    assert told["accepted"] == 1  # what lies before it stays out
    found = service.get("/v1/customers/ann").json()
    assert (found["events"], found["permission"]["email_consent"]) == (1, "granted")
    assert service.tell(CART)["accepted"] == 0

    erase(service)
    assert service.get("/v1/customers/ann").status_code == 404
    assert service.tell(fresh)["accepted"] == 0  # that consent was of the life that ended


def test_erasing_twice_is_once_and_a_stranger_can_be_erased(service):
    first = erase(service).json()
    assert erase(service).json() == first and first["known"] is True
    assert service.tell(CART | {"customer_id": "stranger"})["accepted"] == 1
    assert erase(service, "stranger").json()["known"] is True
    assert erase(service, "strangr").json()["known"] is False
    assert service.tell(CART | {"customer_id": "stranger"})["accepted"] == 0
    with_slash = erase(service, "a/b").json()
    assert with_slash["name"] not in (first["name"], "a/b")


def test_only_an_admin_erases_and_exports(service):
    from serving.access.scopes import Scope

    others = service.make_key(scopes=tuple(one for one in Scope if one is not Scope.ADMIN))
    headers = {"Authorization": f"Bearer {others}"}
    for method, path in (("DELETE", ""), ("GET", "/export")):
        answer = service.ask_as(headers, method=method, url=f"/v1/customers/ann{path}")
        assert answer.status_code == 403
    assert service.get("/v1/customers/ann").status_code == 200


def test_a_store_does_not_open_under_another_secret(service, tmp_path):
    from features.errors import SettingsError
    from serving.secret import Secret
    from serving.store import Store

    url = f"sqlite:///{tmp_path / 'store.db'}"
    Store.open(url, patience_s=1).close()  # nobody was erased yet
    erase(service)
    for secret in (None, Secret(b"another secret of just as many bytes")):
        with pytest.raises(SettingsError, match="root secret"):
            Store.open(url, patience_s=1, secret=secret)


def test_the_export_holds_everything_and_is_json(service):
    service.tell(CART)
    decided = service.decide("q1")
    answer = service.get("/v1/customers/ann/export")
    assert answer.headers["content-type"] == "application/json"
    said = json.loads(answer.text)
    assert {event["kind"] for event in said["events"]} == {"consent", "send", "order", "cart_add"}
    assert [one["kind"] for one in said["consents"]] == ["consent"]
    assert [one["decision_id"] for one in said["decisions"]] == [decided["decision_id"]]
    assert said["decisions"][0]["receipt"]["arms"]
    assert said["promised_mails"][0]["decision_id"] == decided["decision_id"]
    assert said["permission"]["email_consent"] == "granted"
    assert said["person"][0]["timezone"] == "America/New_York"
    assert said["experiments"] == []
