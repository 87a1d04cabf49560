"""How many customers a minute the nightly job decides for, and in how much memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


def run() -> dict[str, Any]:
    """`onje rescore` as a process of its own, on the installation that the environment names."""
    with TemporaryDirectory() as out:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [Path(sys.executable).with_name("onje"), "rescore", "--out", out, "--json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        told = json.loads(process.stdout.read())
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "customers": told["customers"],
        "send": told["send"],
        "wait": told["wait"],
        "seconds": seconds,
        "per_minute": told["customers"] / seconds * 60,
        "peak_gib": used.ru_maxrss / 2**20,
    }


def table(measured: dict[str, Any]) -> str:
    """The figures as a markdown table."""
    return "\n".join(
        [
            "| customers | of which send | seconds | decisions a minute | peak memory GiB |",
            "|---|---|---|---|---|",
            f"| {measured['customers']:,} | {measured['send']:,} | {measured['seconds']:.1f} "
            f"| {measured['per_minute']:,.0f} | {measured['peak_gib']:.2f} |",
        ]
    )
