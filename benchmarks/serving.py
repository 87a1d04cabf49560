"""One decision alone and 32 at once, beside an endpoint of the same service that does nothing."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from itertools import count
from typing import Any

from benchmarks.load import Load, measure
from pipelines.installation import Installation
from pipelines.serve import running

SECONDS = 12.0
WARM_UP = 5  # questions on each connection
# More than are asked for: whoever was promised a mail a moment ago is a shorter question.
CUSTOMERS = 10_000


def run(onje: Installation) -> dict[str, Any]:
    """Measure the installation as it is: its models, its published histories."""
    customers = onje.store.some_customers(CUSTOMERS)
    at = onje.places

    fresh = count()

    def recorded(number: int) -> bytes:
        place = next(fresh)
        question = {
            "request_id": f"bench-{place}",
            "customer_id": customers[place % len(customers)],
        }
        return json.dumps(question).encode()

    def dry(number: int) -> bytes:
        question = {"request_id": f"dry-{number}", "dry_run": True}
        return json.dumps(question | {"customer_id": customers[number % len(customers)]}).encode()

    measured: dict[str, Load] = {}
    with running(at, log=at.home / "bench.log", service="benchmarks.service:Onje"):
        for concurrency in (1, 32):
            for name, path, body in (
                ("nothing", "/v1/nothing", lambda number: b"{}"),
                ("decide, dry run", "/v1/decide", dry),
                ("decide, recorded", "/v1/decide", recorded),
            ):
                measured[f"{name}, {concurrency} at once"] = asyncio.run(
                    measure(
                        at.host,
                        at.port,
                        path,
                        body,
                        concurrency=concurrency,
                        seconds=SECONDS,
                        warm_up=WARM_UP,
                    )
                )
    return {name: asdict(load) for name, load in measured.items()}


def table(measured: dict[str, Any]) -> str:
    """The figures as a markdown table."""
    lines = [
        "| what | p50 ms | p99 ms | per second | of doing nothing | sends | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, load in measured.items():
        floor = measured[f"nothing, {load['concurrency']} at once"]["per_second"]
        lines.append(
            f"| {name} | {load['p50_ms']:.1f} | {load['p99_ms']:.1f} | {load['per_second']:,.0f} "
            f"| {load['per_second'] / floor:.3f} | {load['sends']} | {load['failed']} |"
        )
    return "\n".join(lines)
