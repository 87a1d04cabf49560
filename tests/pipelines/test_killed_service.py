"""R4: the service killed by kill -9 while events come in; what it acknowledged is there once."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from features.lake import Lake
from pipelines.hooks.sources import variable_of
from pipelines.keys import make_key
from pipelines.places import places
from pipelines.serve import SERVICE, running
from pipelines.signatures import signed
from serving.access.scopes import Scope
from serving.store import Store
from serving.store.tables import deliveries

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the source that is killed"
SENDERS = 4
PEOPLE = 500
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def at(tmp_path, monkeypatch):
    """An empty installation with a key and a source of webhooks."""
    monkeypatch.setenv(variable_of("generic"), SECRET)
    made = places({
        "ONJE_HOME": str(tmp_path), "ONJE_PORT": str(free_port()),
        "ONJE_SETTINGS": str(ROOT / "onje.toml"),
    })  # fmt: skip
    monkeypatch.setenv("ONJE_HOME", str(made.home))
    monkeypatch.setenv("ONJE_SETTINGS", str(made.settings_file))
    return made


def parts_of(round_, events, each):
    """Batches of events; half of them go as webhooks."""
    ids = [f"r{round_}-{number}" for number in range(events)]
    return [ids[start : start + each] for start in range(0, events, each)]


def body_of(ids):
    told = [
        {
            "event_id": name, "customer_id": f"c{int(name.split('-')[1]) % PEOPLE}",
            "kind": "view", "product_id": "mug", "at": AT.isoformat(),
        }
        for name in ids
    ]  # fmt: skip
    return json.dumps({"events": told}).encode()


def send(client, address, key, ids, *, by_hook):
    """Whether this batch was acknowledged."""
    body, json_type = body_of(ids), {"Content-Type": "application/json"}
    try:
        if by_hook:
            headers = signed(SECRET.encode(), identity=ids[0], at=datetime.now(UTC), body=body)
            answer = client.post(f"{address}/v1/hooks/generic", content=body, headers=headers)
        else:
            headers = json_type | {"Authorization": f"Bearer {key}"}
            answer = client.post(f"{address}/v1/events", content=body, headers=headers)
    except httpx.TransportError:
        return False
    assert answer.status_code == 200, answer.text
    return by_hook or answer.json()["rejected"] == []


def sent_until_killed(service, key, batches, *, after):
    """Send all batches from several senders; when `after` are acknowledged, kill all processes."""
    acknowledged, failed = [], []

    def one_sender(mine):
        with httpx.Client(timeout=30) as client:
            for number, ids in mine:
                done = send(client, service.address, key, ids, by_hook=number % 2 == 0)
                (acknowledged if done else failed).append(ids)
                if len(acknowledged) >= after and service.process.poll() is None:
                    os.killpg(service.process.pid, signal.SIGKILL)

    numbered = list(enumerate(batches))
    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(one_sender, [numbered[start::SENDERS] for start in range(SENDERS)]))
    return acknowledged, failed


def wait_until_parsed(store):
    until = time.monotonic() + 120
    while store.delivery_counts()["waiting"]:
        assert time.monotonic() < until, "webhooks wait for ever"
        time.sleep(0.05)
    assert store.delivery_counts()["dead"] == 0


def let_claims_end(store):
    """As if those minutes had passed after which what a dead process claimed is free again."""
    with store._connections.writing() as connection:
        connection.execute(update(deliveries).values(claimed_until=None))


def compacted(dice, *, killed):
    """`onje compact`, killed at a random moment if it shall be."""
    command = [str(Path(sys.executable).with_name("onje")), "compact", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        _, said = process.communicate(timeout=dice.uniform(1.0, 6.0) if killed else 120)
        assert process.returncode == 0, said
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def ids_in(frame):
    return Counter(frame["event_id"].to_list())


def once_each(store, lake, promised):
    """Each event that was acknowledged is there, and none is twice in the store or in the lake."""
    waiting = ids_in(store.uncompacted(1_000_000).events)
    in_lake = ids_in(lake.read("events")) if lake.exists("events") else Counter()
    assert not promised - set(waiting) - set(in_lake), "acknowledged and lost"
    assert max(waiting.values(), default=1) == 1 and max(in_lake.values(), default=1) == 1


@pytest.mark.parametrize(
    ("rounds", "events", "each"),
    [(2, 1_000, 10), pytest.param(100, 10_000, 50, marks=pytest.mark.long)],
)
def test_r4_acknowledged_events_survive_kill_9_of_service_and_compaction_once_each(
    at, rounds, events, each
):
    dice = random.Random(4)
    store, lake = Store.open(at.store_url, patience_s=10.0), Lake(at.lake)
    _, key = make_key(store, name="r4", scopes=set(Scope), lasts=None, now=datetime.now(UTC))
    log = at.home / "service.log"
    promised, to_send_again = set(), []
    for round_ in range(rounds + 1):
        let_claims_end(store)
        with running(at, log=log, service=SERVICE) as service:
            wait_until_parsed(store)
            once_each(store, lake, promised)
            # What was not acknowledged is sent anew, as any sender does.
            with httpx.Client(timeout=30) as client:
                for number, ids in enumerate(to_send_again):
                    assert send(client, service.address, key, ids, by_hook=number % 2 == 0)
                    promised.update(ids)
            if round_ == rounds:
                wait_until_parsed(store)
                break
            batches = parts_of(round_, events, each)
            most = dice.randrange(1, len(batches) - SENDERS)
            acknowledged, to_send_again = sent_until_killed(service, key, batches, after=most)
            assert service.process.poll() is not None and to_send_again  # it died amid them
            promised.update(name for ids in acknowledged for name in ids)
        if round_ % 2 == 0:
            compacted(dice, killed=True)
    once_each(store, lake, promised)
    compacted(dice, killed=False)
    assert store.uncompacted(9).numbers == []
    assert ids_in(lake.read("events")) == Counter(promised)
    assert len(promised) == rounds * events
    store.close()
