"""One pass under cProfile, as a worker would decide it: `python -m benchmarks.one_pass --help`.

Works on the installation of ONJE_HOME; dry runs only, nothing is recorded.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import os
import pstats
import time
from collections.abc import Sequence
from functools import partial

ROUNDS = 5


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.one_pass", description=__doc__)
    parser.add_argument("--customers", type=int, default=64, help="questions that share the pass")
    parser.add_argument("--sort", choices=["tottime", "cumtime"], default="tottime")
    parser.add_argument("--lines", type=int, default=40, help="how many calls to name")
    asked = parser.parse_args(words)
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # before Polars is imported, as in a worker

    from pipelines.service import open_here
    from serving.deciding import decide_together
    from serving.schemas.decisions import DecisionRequest

    live = open_here()
    questions = [
        DecisionRequest(request_id=f"pass-{number}", customer_id=customer, dry_run=True)
        for number, customer in enumerate(live.store.some_customers(asked.customers))
    ]
    decide = partial(decide_together, questions, live, now=live.now(), is_in_time=lambda: True)
    decide()
    decide()
    gc.collect()
    gc.freeze()  # as after the warm-up of a worker
    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        decide()
        seconds.append(time.perf_counter() - begun)
    print(f"{len(questions)} questions: {1000 * min(seconds):.1f} ms at best of {ROUNDS}")
    profile = cProfile.Profile()
    profile.runcall(decide)
    pstats.Stats(profile).sort_stats(asked.sort).print_stats(asked.lines)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
