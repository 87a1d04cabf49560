"""onje follow cut off at every point, killed as a process, and two at once: once each, all told."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serving.store.connections import Connections
from serving.store.tables import decisions, outbox
from tests.pipelines.followed import PLAIN, Shop, receiver, shop
from tests.serving.api.service import NOON, SETTINGS_FILE

NAMES = ("ann", "bob")
ROOT = Path(__file__).parents[2]


class Cut(BaseException):
    """Nothing after this point was done."""


def rows(store, table):
    with store._connections.reading() as connection:
        return connection.execute(table.select()).all()


def test_cut_off_at_every_point_it_goes_on_and_tells_each_once(tmp_path, store_url, monkeypatch):
    """Within each transaction that has written all it will, and after it ended."""
    points, seen = [], Counter()
    left = 0
    writing = Connections.writing

    def step(name):
        nonlocal left
        left -= 1
        if left == 0:
            points.append(name)
        if left <= 0:  # whoever is killed does nothing after
            raise Cut

    @contextmanager
    def write(self, **more):
        with writing(self, **more) as connection:
            yield connection
            step("before the commit")
        step("after the commit")

    with receiver() as other_side, shop(tmp_path, store_url, receiver=other_side) as opened:
        patched = {"deliver_at_once": 1, "least_minutes": 0}
        opened.settings = opened.settings.model_copy(
            update={"follow": opened.settings.follow.model_copy(update=patched)}
        )
        opened.open_for(*(f"{name}{turn}" for name in NAMES for turn in range(60)))
        for turn in range(60):
            expected = {f"{name}{turn}" for name in NAMES}
            for name in sorted(expected):
                opened.happens(f"e {name}", name)
            monkeypatch.setattr(Connections, "writing", write)
            left = turn + 1
            opened.following = opened.another()
            with suppress(Cut):
                opened.following.run_once()
            was_cut = left <= 0
            monkeypatch.setattr(Connections, "writing", writing)
            opened.pass_time(minutes=1)  # what was claimed is free again
            opened.run()
            told = [one["customer_id"] for one in other_side.letters()]
            seen = Counter(told)
            assert expected <= set(told), points[-1:]
            decided = Counter(row.customer_id for row in rows(opened.store, decisions))
            assert {decided[name] for name in expected} == {1}, points[-1:]
            if not was_cut:
                break
        else:
            pytest.fail("it never came to its end")
        assert {row.state for row in rows(opened.store, outbox)} == {"delivered"}
        # Twice only where it was cut off between the letter and the note of it, under one id.
        ids = Counter(headers["webhook-id"] for headers, _ in other_side.got)
        assert len(ids) == len(seen) and max(ids.values()) <= 2
    assert len(points) >= 14


def settings_text(other_side, offset, *, attempts=9):
    text = SETTINGS_FILE.read_text("utf-8")
    for old, new in (
        ("\nsettle_seconds = 5.0", "\nsettle_seconds = 0.1"),
        ("\nlook_seconds = 1.0", "\nlook_seconds = 0.05"),
        ("\nleast_minutes = 1.0", "\nleast_minutes = 0"),
        ("\nlease_seconds = 30.0", "\nlease_seconds = 5"),
        ("\noffset_days = 0", f"\noffset_days = {offset}"),
        ("\nallow = []", f'\nallow = ["{other_side.place}"]'),
        *((f"\n{name} = ", f"\n{name} = {value} # ") for name, value in PLAIN["policy"].items()),
        (
            "\n[outputs]\n",
            f'\n[outputs.sender]\nkind = "webhook"\nurl = "{other_side.url}"\nonly = "sends"\n'
            f"timeout_seconds = 2\nattempts = {attempts}\nretry_seconds = 0.2\n"
            "retry_most_seconds = 1\n",
        ),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


class Processes:
    """Real `onje follow` processes on one home."""

    def __init__(self, home, url):
        self.home = home
        self.environment = {
            **os.environ, "ONJE_HOME": str(home), "ONJE_SETTINGS": str(home / "onje.toml"),
            "ONJE_STORE_URL": url, "ONJE_SECRET": "the root secret of all API tests",
            "POLARS_MAX_THREADS": "1",
        }  # fmt: skip
        self.running = []

    def start(self):
        log = (self.home / f"log{len(self.running)}").open("w+")
        words = [sys.executable, "-c", "from pipelines.cli import main; main()"]
        process = subprocess.Popen(
            [*words, "follow", "--json"], cwd=ROOT, env=self.environment, stdout=log, stderr=log
        )
        self.running.append((process, log))
        return process

    def end(self):
        for process, log in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()
            log.close()


def wait_until(holds, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to pass in time")


@pytest.mark.long
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_processes_killed_again_and_again_beside_each_other(tmp_path, database, request):
    store_url = f"sqlite:///{tmp_path / 'store.db'}"
    if database == "postgresql":
        store_url = request.getfixturevalue("postgresql").new_database()
    chance = random.Random(7)
    offset = (datetime.now(UTC).date() - NOON.date()).days
    names = [f"n{number}" for number in range(40)]
    with receiver() as other_side:
        (tmp_path / "onje.toml").write_text(settings_text(other_side, offset), "utf-8")
        opened = Shop(tmp_path, store_url, receiver=other_side)
        opened.open_for(*names)
        processes = Processes(tmp_path, store_url)
        try:
            alive = [processes.start(), processes.start()]
            for number, name in enumerate(names):
                opened.now = datetime.now(UTC).replace(year=2024, month=NOON.month, day=NOON.day)
                opened.happens(f"e {name}", name)
                if number == 0:  # both are awake
                    wait_until(lambda: other_side.got)
                if number % 20 == 19:
                    time.sleep(chance.random())
                    victim = alive.pop(0)
                    victim.send_signal(signal.SIGKILL)
                    victim.wait()
                    alive.append(processes.start())
                time.sleep(chance.random() * 0.05)
            told = lambda: {one["customer_id"] for one in other_side.letters()}  # noqa: E731
            wait_until(lambda: told() == set(names))
            wait_until(lambda: {row.state for row in rows(opened.store, outbox)} == {"delivered"})
            for process in alive:
                process.terminate()
            assert [process.wait(20) for process in alive] == [0, 0]
        finally:
            processes.end()
        made = Counter(row.customer_id for row in rows(opened.store, decisions))
        assert made == dict.fromkeys(names, 1)
        by_id = {json.loads(body)["decision_id"]: body for _, body in other_side.got}
        assert len(by_id) == len(names)
        opened.close()
