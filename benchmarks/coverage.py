"""How often a 95 % interval holds the truth, in simulated worlds whose truth is known.

Synthetic: 20,000 customers of very different engagement, six arms of which about four are possible,
up to eight decisions each; a log draws 8,000 customers (36,000 decisions), and the policy in force
explores with epsilon .1. Estimators have to hold the truth in 93.5 to 96.5 % of the logs, and do
but for those that are listed because they do not: Switch-DR with a low threshold believes its
model about rare choices, and no interval shows what the model gets wrong; rows of a customer are
not independent; the naive mean compares customers, not policies. (With rewards around 3 % instead
of 5, logs of this size held the truth in 93.4 to 94.7 %: the fewer rewards, the later the limit.
Of 500 logs instead of 2,000, a share is exact to two points.)
Bias and standard deviation are in shares of the challenger's value. A challenger that is no better
may be promoted in at most 5 % of the logs; "no better than the best arm" is the hardest such case,
better than all arms but one.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks import coverage_offpolicy, coverage_uplift

WORKERS = 2


def run() -> dict[str, Any]:
    """All tables, in a few minutes on two cores."""
    # Each worker on its own core: threads of BLAS that wait for each other are slower.
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as workers:
        return {
            "offpolicy": coverage_offpolicy.run(workers),
            "uplift": coverage_uplift.run(workers),
        }


def table(measured: dict[str, Any]) -> str:
    """The figures as markdown tables."""
    return "\n\n".join(
        [
            coverage_offpolicy.table(measured["offpolicy"]),
            coverage_uplift.table(measured["uplift"]),
        ]
    )
