"""The simulated world `default` against real facts, and what it takes to make it.

Writes benchmarks/worlds.json, from which docs/worlds.md is printed (`make docs`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

RESULTS = Path(__file__).with_name("worlds.json")
SIZE = {"world": "default", "customers": 20_000, "weeks": 26, "seed": 1}


def run() -> dict[str, Any]:
    """`onje simulate` as a process of its own, in a home of its own."""
    words = [word for name, value in SIZE.items() for word in (f"--{name}", str(value))]
    with TemporaryDirectory() as home:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [Path(sys.executable).with_name("onje"), "simulate", *words, "--json"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "ONJE_HOME": home},
        )
        assert process.stdout is not None
        told = json.loads(process.stdout.read())
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    measured = told | {
        "seconds": round(seconds, 1),
        # On a busy machine this says more than the seconds on the wall.
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_gib": round(used.ru_maxrss / 2**20, 2),
    }
    RESULTS.write_text(json.dumps(measured, indent=2) + "\n", "utf-8")
    return measured


def table(measured: dict[str, Any]) -> str:
    """The figures as a markdown table; the facts stand in docs/worlds.md."""
    said = [row["within"] for row in measured["facts"]]
    return "\n".join(
        [
            "| customers | weeks | events | mails | seconds | of processors | peak memory GiB "
            "| facts in bounds |",
            "|---|---|---|---|---|---|---|---|",
            f"| {measured['customers']:,} | {measured['weeks']} | {measured['events']:,} "
            f"| {measured['mails']:,} | {measured['seconds']:.1f} "
            f"| {measured['processor_seconds']:.1f} | {measured['peak_gib']:.2f} "
            f"| {said.count(True)} of {len(said)} |",
        ]
    )
