"""Keys: what is kept of them, who opens what, rotation, and what holds while the store is gone."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from features.errors import DataError
from pipelines.keys import demo_key, make_key, revoke, rotate, warnings
from serving.access.keys import new_key, parsed
from serving.access.scopes import Scope
from tests.serving.api.service import NOON, running

YEAR = timedelta(days=365)
HOUR = timedelta(hours=1)


def status(service, text, path="/v1/health"):
    return service.send(method="GET", url=path, headers={"Authorization": f"Bearer {text}"})


def code(answer):
    return answer.status_code, answer.json().get("code")


def made(**more):
    return new_key(**{"name": "n", "scopes": {Scope.READ}, "lasts": YEAR, "now": NOON, **more})


def test_keys_differ_and_are_read_back():
    texts = {made()[1] for _ in range(50)}
    assert len({parsed(b"Bearer " + text.encode()) for text in texts}) == 50
    key, text = made()
    key_id, secret = parsed(b"bearer " + text.encode())
    assert key_id == key.key_id and key.is_opened_by(secret, NOON)
    assert not key.is_opened_by(secret[:-1] + b"!", NOON)


@pytest.mark.parametrize(
    "header", [b"", b"Bearer", b"Bearer x", b"Basic onje_a_b", b"Bearer onje_1_2_3", b"\xff"]
)
def test_what_is_no_key_is_none(header):
    assert parsed(header) is None


def test_no_secret_is_in_the_store(service, tmp_path):
    secret = service.make_key().split("_")[2]
    with sqlite3.connect(tmp_path / "store.db") as reader:
        kept = [value for row in reader.execute("SELECT * FROM keys") for value in row]
    assert kept and not any(secret in str(value) for value in kept)
    assert not any(secret.encode() in file.read_bytes() for file in tmp_path.glob("store.db*"))


def test_a_key_holds_until_its_day(service):
    text = service.make_key(lasts=HOUR)
    assert status(service, text).status_code == 200
    service.pass_time(minutes=61)
    answer = status(service, text)
    assert code(answer) == (401, "expired_key")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_during_the_overlap_both_secrets_hold_then_only_the_new_one(service):
    key, old = made()
    service.live.store.add_key(key)
    _, new = rotate(service.live.store, key.key_id, overlap=HOUR, now=NOON)
    service.live.gate.keys.refresh()
    assert [status(service, text).status_code for text in (old, new)] == [200, 200]
    service.pass_time(minutes=61)
    assert [status(service, text).status_code for text in (old, new)] == [401, 200]
    _, newest = rotate(service.live.store, key.key_id, overlap=timedelta(0), now=service.now)
    service.live.gate.keys.refresh()
    assert [status(service, text).status_code for text in (old, new, newest)] == [401, 401, 200]


def test_a_dead_or_unknown_key_cannot_be_rotated(service):
    key, _ = made()
    service.live.store.add_key(key)
    revoke(service.live.store, key.key_id, now=NOON)
    with pytest.raises(DataError, match="revoked; make another"):
        rotate(service.live.store, key.key_id, overlap=HOUR, now=NOON)
    with pytest.raises(DataError, match="no key has the id"):
        revoke(service.live.store, "nobody", now=NOON)


def test_a_revoked_key_is_dead_within_reload_seconds_by_itself(service):
    text = service.make_key()
    assert status(service, text).status_code == 200
    revoke(service.live.store, text.split("_")[1], now=NOON)
    service.wait(0.7)  # reload_seconds is 0.2 here
    assert code(status(service, text)) == (401, "revoked_key")


def test_a_key_made_while_it_runs_is_known_within_reload_seconds_by_itself(service):
    text = service.make_key(known=False)
    assert code(status(service, text)) == (401, "unknown_key")
    service.wait(0.7)
    assert status(service, text).status_code == 200


def test_the_last_use_is_kept_coarsely(service):
    text = service.make_key()
    key_id = text.split("_")[1]

    def last_used():
        service.live.gate.keys.refresh()
        [key] = [key for key in service.live.store.all_keys() if key.key_id == key_id]
        return key.last_used_at

    assert last_used() is None
    status(service, text)
    assert last_used() == NOON
    service.pass_time(minutes=9)
    status(service, text)
    assert last_used() == NOON  # a write for every request would be paid by every request
    service.pass_time(minutes=2)
    status(service, text)
    assert last_used() == NOON + timedelta(minutes=11)


def test_while_the_store_is_gone_known_keys_hold_and_of_others_nobody_can_say(
    service, tmp_path, caplog
):
    known = service.make_key()
    other, fresh = made()
    (tmp_path / "store.db").rename(tmp_path / "away.db")
    service.wait(0.7)
    caplog.set_level(logging.CRITICAL)
    assert status(service, known).status_code == 200
    assert code(status(service, known[:-1] + "-")) == (401, "unknown_key")  # no key of anybody
    answer = status(service, fresh)
    assert code(answer) == (503, "store_unavailable")
    assert answer.headers["Retry-After"] == "5"
    (tmp_path / "away.db").rename(tmp_path / "store.db")
    service.live.store.add_key(other)
    service.wait(0.7)
    assert status(service, fresh).status_code == 200


def test_two_processes_share_the_keys(service, tmp_path):
    text = service.make_key()
    with running(tmp_path) as other:
        assert status(other, text).status_code == 200


def test_the_demo_has_one_living_key(service):
    store = service.live.store
    first, second = (demo_key(store, now=NOON) for _ in range(2))
    service.live.gate.keys.refresh()
    assert [status(service, text).status_code for text in (first, second)] == [401, 200]


@pytest.mark.parametrize(
    ("host", "is_warned"), [("127.0.0.1", False), ("::1", False), ("0.0.0.0", True)]
)
def test_whoever_serves_without_keys_or_to_everybody_is_told(service, host, is_warned):
    store = service.live.store
    assert any("TLS" in line for line in warnings(store, host, now=NOON)) == is_warned
    assert not any("onje keys add" in line for line in warnings(store, host, now=NOON))
    for key in store.all_keys():
        store.change_key(key.key_id, lambda key: replace(key, revoked_at=NOON))
    assert any("onje keys add" in line for line in warnings(store, host, now=NOON))
    make_key(store, name="", scopes={Scope.READ}, lasts=HOUR, now=NOON)
    assert not any("onje keys add" in line for line in warnings(store, host, now=NOON))
