"""How often a 95 % interval holds the truth, in simulated worlds whose truth is known.

Synthetic: 20,000 customers with heavy-tailed chances around 3 %, six arms of which some are
possible, up to eight decisions each; a log draws customers, and the policy in force explores with
epsilon .1. A log has about 36,000 decisions. Everything but the last lines of the first table has
to hold the truth in 93.5 to 96.5 % of the logs; bias and standard deviation are in shares of the
truth. Not kept on purpose: Switch-DR with a low threshold (it believes its model, whose errors no
interval shows), rows as if independent, and the naive mean. The gate may promote a challenger that
is no better in at most 5 % of the logs.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks import coverage_offpolicy

WORKERS = 2


def run() -> dict[str, Any]:
    """All tables, in a few minutes on two cores."""
    # Each worker on its own core: threads of BLAS that wait for each other are slower.
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as workers:
        return {"offpolicy": coverage_offpolicy.run(workers)}


def table(measured: dict[str, Any]) -> str:
    """The figures as markdown tables."""
    return coverage_offpolicy.table(measured["offpolicy"])
