"""Run the benchmarks, or those that are named, and write docs/benchmarks.md.

`python -m benchmarks [--json] [newcomer features rescoring deciding serving models training worlds
coverage policies hooks]` works on the installation of ONJE_HOME, so type `onje demo --once` first.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from benchmarks import (
    coverage,
    deciding,
    features,
    hooks,
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
from benchmarks.page import TITLES, keep
from pipelines.console import progress


def main(words: list[str]) -> None:
    """Measure what is named (all, if nothing is) and print the page anew."""
    names = [word for word in words if not word.startswith("-")] or list(TITLES)
    unknown = set(names) - set(TITLES)
    if unknown:
        sys.exit(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(TITLES)}")
    done: dict[str, tuple[str, Any]] = {}
    for name in names:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        done[name] = measured(name)
        keep(name, *done[name])
    if "--json" in words:
        print(json.dumps({name: figures for name, (_, figures) in done.items()}, default=str))
    else:
        print("\n\n".join(f"{TITLES[name]}\n\n{table}" for name, (table, _) in done.items()))


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
    if name == "hooks":
        burst = hooks.run(hooks.R15)
        return hooks.table(burst), asdict(burst)
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
    if name == "serving":
        with progress(quiet=False) as step:
            figures = serving.run(serving.CUSTOMERS, step=step, changes={}, seconds=serving.SECONDS)
        return serving.table(figures), figures
    module = {"features": features, "training": training}[name]
    with copied() as onje:
        run = module.run(onje)
    return module.table(run), run


if __name__ == "__main__":
    main(sys.argv[1:])
