"""From a clone to the first decision, as a newcomer would go."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
PORT = "3111"


def run() -> dict[str, Any]:
    """Seconds of cloning, installing (downloads included) and of the demo's steps."""
    with TemporaryDirectory() as folder:
        clone = Path(folder) / "onje"
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ONJE_") and name != "VIRTUAL_ENV"
        } | {"ONJE_PORT": PORT}
        seconds = {}
        for step, command, place in (
            ("clone", ["git", "clone", "--quiet", str(ROOT), str(clone)], ROOT),
            ("install", ["make", ".venv/run.done"], clone),
            ("demo", [".venv/bin/onje", "demo", "--once", "--json"], clone),
        ):
            begun = time.perf_counter()
            done = subprocess.run(
                command, cwd=place, env=environment, capture_output=True, text=True, check=True
            )
            seconds[step] = time.perf_counter() - begun
    decision = json.loads(done.stdout.strip().splitlines()[-1])
    return {"seconds": seconds, "demo": decision["seconds"], "action": decision["action"]}


def table(measured: dict[str, Any]) -> str:
    """The figures as a markdown table."""
    lines = ["| step | seconds |", "|---|---|"]
    lines += [f"| {step} | {spent:.1f} |" for step, spent in measured["seconds"].items()]
    lines += [f"| demo: {step} | {spent:.1f} |" for step, spent in measured["demo"].items()]
    return "\n".join(lines)
