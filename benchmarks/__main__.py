"""Run the benchmarks, or those that are named, and write docs/benchmarks.md.

`python -m benchmarks [--json] [newcomer features rescoring deciding serving models training worlds
coverage policies]` works on the installation of ONJE_HOME, so type `onje demo --once` first.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import (
    coverage,
    deciding,
    features,
    models,
    newcomer,
    policies,
    rescoring,
    serving,
    training,
    worlds,
)
from benchmarks.copies import copied
from benchmarks.model_rows import as_json
from pipelines.console import progress
from pipelines.retrain import code_version

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / ".onje" / "benchmarks.json"

TITLES = {
    "newcomer": "From clone to first decision",
    "serving": "The service",
    "rescoring": "The night",
    "deciding": "Deciding",
    "features": "Features",
    "models": "Models",
    "training": "Training",
    "worlds": "Worlds",
    "coverage": "Coverage",
    "policies": "Policies",
}


def main(words: list[str]) -> None:
    """Measure what is named (all, if nothing is) and print the page anew."""
    names = [word for word in words if not word.startswith("-")] or list(TITLES)
    unknown = set(names) - set(TITLES)
    if unknown:
        sys.exit(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(TITLES)}")
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        found[name] = {"when": f"{datetime.now(UTC):%Y-%m-%d}", "code": code_version()}
        found[name] |= dict(zip(("table", "figures"), measured(name), strict=True))
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(found, default=str))
    PAGE.write_text(page(found), "utf-8")
    if "--json" in words:
        print(json.dumps({name: found[name]["figures"] for name in names}, default=str))
    else:
        print("\n\n".join(f"{TITLES[name]}\n\n{found[name]['table']}" for name in names))


def measured(name: str) -> tuple[str, Any]:
    """The table of a benchmark and its figures."""
    if name == "newcomer":
        run = newcomer.run()
        return newcomer.table(run), run
    if name == "policies":
        run = policies.run()
        return policies.table(run), run
    if name == "deciding":
        figures = deciding.run()
        return deciding.table(figures), figures
    if name == "worlds":
        run = worlds.run()
        return worlds.table(run), run
    if name == "rescoring":
        with copied():
            run = rescoring.run()
        return rescoring.table(run), run
    if name == "models":
        with progress(quiet=False) as step:
            rows = models.run(models.PARTS, step)
        return models.table(rows), as_json(rows)
    if name == "coverage":
        run = coverage.run()
        return coverage.table(run), run
    module = {"features": features, "serving": serving, "training": training}[name]
    with copied() as onje:
        run = module.run(onje)
    return module.table(run), run


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
            intro = (sys.modules[f"benchmarks.{name}"].__doc__ or "").strip()
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


if __name__ == "__main__":
    main(sys.argv[1:])
