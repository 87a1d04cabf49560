"""All models beside their trivial baselines and the peers' libraries, on the same data and draws.

`make bench-models` prints the table, `make bench-models ARGS="--json churn hour"` parts of it for
machines. A gain is Onje's over the method of that row, in the unit of the metric and positive
where Onje is better, paired and by customer, with its 95 % interval. Worlds are synthetic, Complete
Journey is simulated by whoever published it; CDNOW, Online Retail and Hillstrom are real.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from benchmarks.model_rows import Row, Step, as_json, as_markdown
from pipelines.console import progress

PARTS = ("churn", "hour", "affinity", "response", "speed")


def run(parts: Sequence[str], step: Step) -> list[Row]:
    """The rows of each of `parts`, one part after another: two of them would slow each other."""
    rows: list[Row] = []
    for part in parts:
        measure: Callable[[Step], list[Row]] = import_module(f"benchmarks.models_{part}").rows
        rows += measure(step)
    return rows


def table(rows: Sequence[Row]) -> str:
    """The table, and in how many of its lines Onje is ahead."""
    verdicts = [row.verdict for row in rows if row.gain is not None]
    told = ", ".join(f"{kind} {verdicts.count(kind)}" for kind in ("ahead", "not sure", "behind"))
    return f"{as_markdown(rows)}\n\nOf {len(verdicts)} comparisons: {told}."


def main(words: Sequence[str]) -> None:
    """Measure the parts that are named (all, if none is) and print them."""
    parts = [word for word in words if not word.startswith("-")] or list(PARTS)
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        sys.exit(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    as_lines = "--json" in words
    with progress(quiet=as_lines) as step:
        rows = run(parts, step)
    print(json.dumps(as_json(rows)) if as_lines else table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
