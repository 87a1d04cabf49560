"""Many callers at once for one customer: what is promised together never breaks a cap.

A decision counts only if its customer is still as it was read; on SQLite one transaction writes
at a time, on PostgreSQL the customer's revision is locked.
"""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from serving.deciding import decide_together
from serving.effective import Effective
from serving.metrics import Metrics
from serving.models import NO_MODELS
from serving.schemas.decisions import DecisionRequest
from serving.secret import Secret
from serving.store import Store
from tests.serving.histories import FEATURES
from tests.serving.shop import caps, shop
from tests.serving.store.rows import NOW, customers, event, events, history, products

HOUR = timedelta(hours=1)
# Three e-mails fit into a day, and every e-mail may come again at once.
OFTEN = {name: {"repeat_days": 0, "at_once": True} for name in ("cart_reminder", "recommendation")}
LIMITS = {"per_24h": 3, "per_7d": 3, "per_30d": 3, "min_gap_hours": 2}
SETTINGS = shop({}, OFTEN, caps=caps(marketing=LIMITS, all={"min_gap_hours": 0}))
CALLERS = 64


def live_on(store):
    return SimpleNamespace(
        store=store,
        models=SimpleNamespace(under=lambda _features: NO_MODELS),
        settings=SimpleNamespace(current=Effective(FEATURES, SETTINGS, timedelta(0), "now")),
        metrics=Metrics.on(CollectorRegistry()),
        secret=Secret(bytes(32)),
    )


def prepared(url):
    store = Store.open(url, patience_s=60.0)
    past = [
        event("c1", kind="consent", reason="granted", channel="email", hours_ago=999),
        event("o1", kind="order", order_id="1", amount="9", product_id="mug", hours_ago=200),
    ]
    store.publish(
        history(*past),
        customers({"customer_id": "ann", "timezone": "America/New_York"}),
        products({"product_id": "mug"}, {"product_id": "pen"}),
        newest_events=100,
        compaction=0,
        about={"lake_versions": {}},
    )
    store.append_events(events(event("a1", kind="cart_add", product_id="pen", hours_ago=2)))
    return store


def ask(live, caller):
    question = DecisionRequest(request_id=f"caller {caller}", customer_id="ann")
    [answer] = decide_together([question], live, now=NOW, is_in_time=lambda: True)
    assert isinstance(answer, bytes), answer
    return json.loads(answer)


def keeps_the_caps(store, said):
    """No more than the cap, each hours apart, and the store promised what was answered."""
    promised = store.promised(now=NOW)
    sent = {one["decision_id"] for one in said if one["action"] == "send"}
    assert set(promised["decision_id"]) == sent
    assert 1 <= len(sent) <= LIMITS["per_24h"]
    times = promised["at"].sort()
    assert all(gap >= LIMITS["min_gap_hours"] * HOUR for gap in times.diff().drop_nulls())
    codes = {one["because"][0]["code"] for one in said if one["action"] == "wait"}
    assert codes <= {"cap_24h", "cap_7d", "cap_30d", "min_gap", "repeat", "customer_is_changing"}


@pytest.mark.parametrize("callers", [12, pytest.param(CALLERS, marks=pytest.mark.long)])
def test_threads_at_once(store_url, callers):
    store = prepared(store_url)
    live = live_on(store)
    with ThreadPoolExecutor(callers) as pool:
        said = list(pool.map(lambda caller: ask(live, caller), range(callers)))
    keeps_the_caps(store, said)
    store.close()


def _one_process(url, place, callers, results):
    store = Store.open(url, patience_s=60.0)
    live = live_on(store)
    with ThreadPoolExecutor(callers) as pool:
        mine = range(place * callers, (place + 1) * callers)
        results.put(list(pool.map(lambda caller: ask(live, caller), mine)))
    store.close()


@pytest.mark.long
@pytest.mark.parametrize("processes", [2, 4])
def test_64_callers_in_processes(store_url, processes):
    store = prepared(store_url)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=_one_process, args=(store_url, n, CALLERS // processes, results))
        for n in range(processes)
    ]
    for worker in workers:
        worker.start()
    said = [one for _ in workers for one in results.get(timeout=120)]
    for worker in workers:
        worker.join(timeout=30)
        assert worker.exitcode == 0
    assert len(said) == CALLERS
    keeps_the_caps(store, said)
    store.close()
