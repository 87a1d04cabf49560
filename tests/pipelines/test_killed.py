"""onje compact and onje publish killed at every point: no event is lost, doubled or hidden."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from features.contracts import History
from features.lake import Lake
from pipelines.settings import load_settings
from serving.store import Store
from serving.store.tables import events as online
from tests.serving.store.rows import NOW, customers, event, events, products

SETTINGS = Path(__file__).parents[2] / "onje.toml"
COMPACTING = 4  # steps
PEOPLE = ("ann", "bob", "cem", "dee", "eve")

# Runs both, and dies by its own hand at the given step: before or after a merge into the lake,
# within a transaction of the store that has written all it will, or after it ended.
CHILD = """
import os, signal, sys
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from features.lake import Lake
from pipelines.console import silently
from pipelines.publish import publish
from pipelines.settings import load_settings
from serving.store import Store, published
from serving.store.connections import Connections

home, url, settings, now, left = sys.argv[1:]
left = int(left)
published.CHUNK = 2  # customers of one transaction, so that there are several

def step(name):
    global left
    left -= 1
    if left == 0:
        print(name, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

merging = Lake.merge_events
def merge(self, events):
    step("before the merge")
    merged = merging(self, events)
    step("after the merge")
    return merged
Lake.merge_events = merge

writing = Connections.writing
@contextmanager
def write(self, **more):
    with writing(self, **more) as connection:
        yield connection
        step("before the commit")
    step("after the commit")

store = Store.open(url, patience_s=10.0)
Connections.writing = write
publish(
    Lake(Path(home)), store, at=datetime.fromisoformat(now),
    settings=load_settings(Path(settings), []).features, step=silently,
)
print("done", flush=True)
"""


def run(lake, url, left):
    """Where it died; "done" where it did not."""
    arguments = [lake.root, url, SETTINGS, NOW.isoformat(), left]
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, arguments)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = ran.stdout.strip()
    assert ran.returncode == (0 if said == "done" else -signal.SIGKILL), ran.stderr
    return said


def whole(store, lake, told, settings):
    """Each event is in the lake or waits for it, and a decision sees it whichever it is."""
    in_lake = lake.read("events")["event_id"].to_list() if lake.exists("events") else []
    assert len(in_lake) == len(set(in_lake))
    everything = {name for names in told.values() for name in names}
    waiting = set(store.uncompacted(10_000).events["event_id"])
    assert set(in_lake) | waiting == everything
    seen = store.view_of(PEOPLE, now=NOW, settings=settings).knowledge.history
    for one in PEOPLE:
        assert set(seen.filter(customer_id=one)["event_id"]) == told[one]
    assert seen.columns == list(History.columns())


# In `make test` every step of compacting and every sixth of publishing, else each of them.
@pytest.mark.parametrize("stride", [6, pytest.param(1, marks=pytest.mark.long)])
def test_killed_at_any_point_nothing_is_lost_doubled_or_hidden(store_url, tmp_path, stride):
    settings = load_settings(SETTINGS, []).features
    store, lake = Store.open(store_url, patience_s=10.0), Lake(tmp_path / "lake")
    lake.append("customers", customers(*({"customer_id": one} for one in PEOPLE)))
    lake.append("products", products({"product_id": "mug"}))
    told = {one: set() for one in PEOPLE}
    died, left, said = [], 1, ""
    while said != "done":
        for one in PEOPLE:
            name = f"{one}-{left}"
            kind = "complaint" if left % 2 else "view"
            store.append_events(events(event(name, one, kind, channel="email")))
            told[one].add(name)
        said = run(lake, store_url, left)
        died.append(said)
        whole(store, lake, told, settings)
        left += 1 if left < COMPACTING else stride
    # The last run went through: all is in the lake, and nothing waits any more.
    assert store.uncompacted(9).numbers == []
    with store._connections.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(online)) == 0
    assert len(died) > 6
    if stride == 1:
        assert {"before the merge", "after the merge", "before the commit"} < set(died)
    store.close()
