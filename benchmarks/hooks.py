"""A burst of webhooks: 100 deliveries of 1,000 events each in a second, for 30 seconds.

Signed bodies to the service with its own workers on an empty installation (SYNTHETIC events), sent
from another process on the same machine at a steady rate, whatever the answers do. R15 of
docs/reliability.md: acknowledged with p99 within a second, never a 5xx, all of it events within ten
minutes.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np

from pipelines.hooks.sources import variable_of
from pipelines.places import places
from pipelines.serve import SERVICE, running
from pipelines.signatures import signed
from serving.store import Store

NUMBER = "@@"
SECRET = "the secret of the burst of webhooks"
PARSED_WITHIN_S = 600.0
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Plan:
    """How many deliveries a second, for how long, of how many events each."""

    rate: int
    seconds: int
    events: int

    @property
    def deliveries(self) -> int:
        return self.rate * self.seconds


R15 = Plan(rate=100, seconds=30, events=1_000)


@dataclass(frozen=True)
class Burst:
    """What was sent, what came back (status: how often; "none" for no answer), how long it took.

    `parsed_s` is from the last answer until nothing waits; None where that took too long. `load` is
    how many processes wanted a processor beside, before it began.
    """

    deliveries: int
    statuses: dict[str, int]
    p50_ms: float
    p99_ms: float
    parsed_s: float | None
    events: int
    dead: int
    load: float


def template(events: int, at: datetime) -> bytes:
    """A delivery with NUMBER where its number belongs, so that none costs the sender time."""
    told = [
        {
            "event_id": f"{NUMBER}-{place}", "kind": "view", "product_id": f"p{place % 500}",
            "customer_id": f"c{place % 100}-{NUMBER}", "at": at.isoformat(),
        }
        for place in range(events)
    ]  # fmt: skip
    return json.dumps({"events": told}).encode()


async def send(address: str, plan: Plan) -> tuple[list[float], Counter[str]]:
    """Milliseconds of each answer, and how often each status came."""
    pattern = template(plan.events, datetime.now(UTC) - timedelta(hours=1))
    took: list[float] = []
    statuses: Counter[str] = Counter()
    limits = httpx.Limits(max_connections=None)

    async def deliver(client: httpx.AsyncClient, number: int) -> None:
        body = pattern.replace(NUMBER.encode(), b"%d" % number)
        headers = signed(SECRET.encode(), identity=f"b-{number}", at=datetime.now(UTC), body=body)
        began = time.perf_counter()
        try:
            answer = await client.post(f"{address}/v1/hooks/generic", content=body, headers=headers)
            statuses[str(answer.status_code)] += 1
        except httpx.TransportError:
            statuses["none"] += 1
        took.append((time.perf_counter() - began) * 1e3)

    async with httpx.AsyncClient(timeout=60, limits=limits) as client, asyncio.TaskGroup() as group:
        began = time.perf_counter()
        for number in range(plan.deliveries):
            await asyncio.sleep(began + number / plan.rate - time.perf_counter())
            group.create_task(deliver(client, number))
    return took, statuses


def run(plan: Plan) -> Burst:
    """Measure one burst on an installation of its own."""
    load = os.getloadavg()[0]
    with TemporaryDirectory(prefix="onje-bench-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        os.environ[variable_of("generic")] = SECRET
        at = places({
            **os.environ, "ONJE_HOME": folder, "ONJE_PORT": str(port),
            "ONJE_SETTINGS": str(ROOT / "onje.toml"),
        })  # fmt: skip
        store = Store.open(at.store_url, patience_s=30.0)
        with running(at, log=Path(folder) / "log", service=SERVICE) as service:
            sent = subprocess.run(
                [sys.executable, "-m", "benchmarks.hooks", service.address,
                 *map(str, astuple(plan))],
                cwd=ROOT, capture_output=True, text=True, check=True,
            )  # fmt: skip
            took, statuses = json.loads(sent.stdout)
            began = time.monotonic()
            while store.delivery_counts()["waiting"] and time.monotonic() - began < PARSED_WITHIN_S:
                time.sleep(0.25)
            counts, parsed_s = store.delivery_counts(), time.monotonic() - began
        kept = len(store.uncompacted(2 * plan.deliveries * plan.events).numbers)
        store.close()
    return Burst(
        deliveries=plan.deliveries, statuses=statuses,
        p50_ms=float(np.percentile(took, 50)), p99_ms=float(np.percentile(took, 99)),
        parsed_s=None if counts["waiting"] else parsed_s,
        events=kept, dead=counts["dead"], load=load,
    )  # fmt: skip


def table(burst: Burst) -> str:
    """The figures beside what is promised."""
    parsed = "not within ten minutes" if burst.parsed_s is None else f"{burst.parsed_s:,.0f} s"
    answers = ", ".join(f"{name}: {often:,}" for name, often in sorted(burst.statuses.items()))
    rows = [
        ("deliveries sent", f"{burst.deliveries:,}", ""),
        ("answers by status", answers, "200 only"),
        ("answer, median", f"{burst.p50_ms:,.0f} ms", ""),
        ("answer, p99", f"{burst.p99_ms:,.0f} ms", "1,000 ms"),
        ("all parsed, after the last answer", parsed, "600 s"),
        ("events kept", f"{burst.events:,}", ""),
        ("dead letters", f"{burst.dead:,}", "0"),
        ("processes that wanted a processor beside", f"{burst.load:.1f}", ""),
    ]
    lines = [f"| {what} | {found} | {promised} |" for what, found, promised in rows]
    return "\n".join(["| SYNTHETIC | measured | promised |", "|---|---:|---:|", *lines])


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send(sys.argv[1], Plan(*map(int, sys.argv[2:]))))))
