"""The service under load for an hour: memory and open files flat, overload told, nothing lost.

`make soak` takes an hour, `make soak ARGS="--minutes 2"` tries it. R1, R2, R3 and R16 of
docs/reliability.md: a steady load, four times that load, workers that are killed every 20 s while
callers ask again by the same id; then every answer is compared with what the store holds. Prints a
table and one line of JSON; the exit code is 1 where a promise was not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
import uvloop

from benchmarks.big_store import CUSTOMERS
from benchmarks.load import Asked
from benchmarks.pace import Told, paced
from benchmarks.serving import Bench, family, rss_of, started
from pipelines.console import progress

CLIENTS = 32
RATE = 150.0  # of R1, questions a second
TIMES = 4  # as many in R2
CROWD = 512  # connections of R2: more than may wait
KILL_EVERY_S = 20.0
SAMPLE_EVERY_S = 1.0
# What the hour is spent on.
SHARES = {"R1": 0.6, "R2": 0.08, "after": 0.02, "R3": 0.3}


@dataclass(frozen=True)
class Promise:
    """What was promised, what was measured, whether it was kept."""

    name: str
    what: str
    most: float
    measured: float

    @property
    def is_kept(self) -> bool:
        return self.measured <= self.most


def workers_of(bench: Bench) -> list[int]:
    """The processes that answer."""
    pids = family(bench.service.process.pid)
    return [pid for pid in pids if b"worker.service" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def watch(bench: Bench, samples: list[tuple[int, int]]) -> None:
    """Resident bytes and open files of all workers together, again and again."""
    while True:
        workers = workers_of(bench)
        files = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in workers)
        samples.append((sum(map(rss_of, workers)), files))
        await asyncio.sleep(SAMPLE_EVERY_S)


async def kill_now_and_then(bench: Bench, killed: list[int]) -> None:
    """End a worker without warning every so often, as long as another is there."""
    while True:
        await asyncio.sleep(KILL_EVERY_S)
        workers = workers_of(bench)
        if len(workers) > 1:
            killed.append(workers[len(killed) % len(workers)])
            os.kill(killed[-1], signal.SIGKILL)


def growth(samples: Sequence[float]) -> float:
    """By which share the end of the second half lies above its beginning."""
    half = np.array(samples[len(samples) // 2 :], dtype=float)
    part = max(1, len(half) // 4)
    return float(np.median(half[-part:]) / np.median(half[:part]) - 1)


async def soak(bench: Bench, *, minutes: float, rate: float) -> list[Promise]:
    """All parts one after the other."""
    host, port = bench.service.address.removeprefix("http://").rsplit(":", 1)
    asked = Asked(
        host=host, port=int(port), path="/v1/decide", key=bench.key,
        prefix=f"soak-{time.time_ns()}", customers=bench.customers, dry_run=False,
        concurrency=CLIENTS, seconds=0, warm_up_seconds=0,
    )  # fmt: skip
    lasting = {name: share * minutes * 60 for name, share in SHARES.items()}
    numbers = count()

    samples: list[tuple[int, int]] = []
    watching = asyncio.create_task(watch(bench, samples))
    steady = await paced(
        replace(asked, seconds=lasting["R1"]), per_second=rate, is_patient=False, numbers=numbers
    )
    watching.cancel()

    crowd = replace(asked, seconds=lasting["R2"], concurrency=CROWD)
    flooded = await paced(crowd, per_second=TIMES * rate, is_patient=False, numbers=numbers)
    after = await paced(
        replace(asked, seconds=max(8.0, lasting["after"])),
        per_second=rate, is_patient=False, numbers=numbers,
    )  # fmt: skip

    killed: list[int] = []
    killing = asyncio.create_task(kill_now_and_then(bench, killed))
    bereft = await paced(
        replace(asked, seconds=max(1.2 * KILL_EVERY_S, lasting["R3"])),
        per_second=rate, is_patient=True, numbers=numbers,
    )  # fmt: skip
    killing.cancel()

    lost, doubled = compared(bench, asked.prefix, [steady, flooded, after, bereft])
    refused = sum(flooded.statuses[one] for one in ("429", "503"))
    memory, files = zip(*samples, strict=True)
    slow = [second for second, p99 in after.by_second().items() if p99 > 100]
    return [
        Promise("R1", "requests that failed", 0, steady.asked - len(steady.answers)),
        Promise("R1", "p50, ms", 20, steady.percentile(50)),
        Promise("R1", "p99, ms", 100, steady.percentile(99)),
        Promise("R1", "growth of memory in the second half", 0.05, growth(memory)),
        Promise("R16", "growth of open files in the second half", 0.05, growth(files)),
        Promise("R2", "failed other than by 429 or 503", 0, flooded.broken),
        Promise("R2", "refused without Retry-After", 0, flooded.without_retry_after),
        Promise("R2", f"p99 of those accepted, ms ({refused:,} refused)", 500,
                flooded.percentile(99)),
        Promise("R2", "seconds until it is as before", 5, max(slow, default=-1) + 1),
        Promise("R3", f"share that broke at first ({len(killed)} workers killed)", 0.001,
                bereft.broken / max(1, bereft.asked)),
        Promise("R3", "given up", 0, bereft.unanswered),
        Promise("R3", "workers not killed", 0, float(not killed)),
        Promise("R3", "answers lost or other than told", 0, lost),
        Promise("R3", "decided twice", 0, doubled),
    ]  # fmt: skip


def compared(bench: Bench, prefix: str, loads: Sequence[Told]) -> tuple[int, int]:
    """How many answers the store does not hold as they were told, and how many it holds twice."""
    told = {name: answer for load in loads for name, answer in load.answers.items()}
    with closing(sqlite3.connect(f"file:{bench.store}?mode=ro", uri=True)) as store:
        kept = dict(
            store.execute(
                "SELECT request_id, answer FROM requests WHERE request_id >= ? AND request_id < ?",
                (f"{prefix}-", f"{prefix}."),
            )
        )
        ids = [json.loads(answer)["decision_id"] for answer in kept.values()]
        missing = sum(
            not store.execute("SELECT 1 FROM decisions WHERE decision_id = ?", (one,)).fetchone()
            for one in ids
        )
        since = store.execute(
            "SELECT count(*) FROM decisions WHERE receipt LIKE ?", (f'%"request_id":"{prefix}-%',)
        ).fetchone()[0]
    wrong = sum(kept.get(name) != answer for name, answer in told.items())
    return wrong + missing, since - len(kept)


def table(promises: Sequence[Promise]) -> str:
    lines = ["| promise | what | at most | measured | kept |", "|---|---|---|---|---|"]
    lines += [
        f"| {one.name} | {one.what} | {one.most:g} | {one.measured:.4g} "
        f"| {'yes' if one.is_kept else 'NO'} |"
        for one in promises
    ]
    return "\n".join(lines)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make soak ARGS=", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--rate", type=float, default=RATE, help="questions a second in R1")
    asked = parser.parse_args(words)
    with (
        progress(quiet=False) as step,
        started(asked.customers, {"workers": "2"}, step=step) as bench,
    ):
        promises = uvloop.run(soak(bench, minutes=asked.minutes, rate=asked.rate))
    print(table(promises))
    kept = {"kept": all(one.is_kept for one in promises)}
    print(json.dumps({**kept, "promises": [asdict(one) for one in promises]}))
    return 0 if kept["kept"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
