"""The page of all figures, written from what was measured last of each benchmark."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from pipelines.retrain import code_version

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / ".onje" / "benchmarks.json"

TITLES = {
    "newcomer": "From clone to first decision",
    "serving": "The service",
    "hooks": "Webhooks",
    "rescoring": "The night",
    "deciding": "Deciding",
    "features": "Features",
    "models": "Models",
    "training": "Training",
    "worlds": "Worlds",
    "coverage": "Coverage",
    "policies": "Policies",
}


def keep(name: str, table: str, figures: Any) -> None:
    """Keep what was measured of one benchmark and write the page anew."""
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found[name] = {
        "when": f"{datetime.now(UTC):%Y-%m-%d}", "code": code_version(),
        "table": table, "figures": figures,
    }  # fmt: skip
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(found, default=str))
    PAGE.write_text(page(found), "utf-8")


def page(found: dict[str, Any]) -> str:
    """The page of all figures, those measured earlier included."""
    parts = [
        "# Benchmarks\n\n",
        "<!-- written by `make bench` -->\n\n",
        f"Measured on {machine()}. Shared machines are noisy: read ratios within one table, not ",
        "seconds across tables. Repeat with `make bench`, or `make bench ARGS=serving`.\n",
    ]
    for name, title in TITLES.items():
        if name in found:
            one = found[name]
            intro = (import_module(f"benchmarks.{name}").__doc__ or "").strip()
            parts.append(f"\n## {title}\n\n{intro}\n\n{one['table']}\n\n")
            parts.append(f"{one['when']}, code {one['code']}\n")
    return "".join(parts)


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = subprocess.run(
        ["sh", "-c", "grep -m1 'model name' /proc/cpuinfo | cut -d: -f2"],
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    return (
        f"{os.cpu_count()} cores ({model or platform.machine()}), {memory:.0f} GiB, "
        f"Python {platform.python_version()}"
    )
