"""What the policy costs: milliseconds per 1,000 customers whose scores are there already.

In a simulated shop, with the whole catalogue, mails in the past and the merchant's figures, so that
no model takes part. Beside it a raw numpy argmax over as many instants: what the choice itself
takes. The goal is 150 ms of processor time per 1,000 customers in batches of 1,000.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import numpy as np
import polars as pl

from features.history import to_history
from features.lake import Lake
from pipelines.console import silently
from pipelines.everybody import requests_of
from pipelines.settings import load_settings
from pipelines.simulator.into_lake import simulate
from pipelines.simulator.size import Size
from serving.answer import decisions_of
from serving.conditions import NO_CONDITIONS
from serving.instants import Instants, valued_instants
from serving.knowledge import Knowledge
from serving.models import NO_MODELS
from serving.scores import scores_of
from serving.tables import MAIL
from serving.valuation import OWN

ROOT = Path(__file__).parents[1]
WORLD = Size("rich", 1_000, 26, 11)
GOAL_MS = 150.0
REPEATS = 9


def run() -> dict[str, Any]:
    """Processor time of deciding for 1,000 and for one, and what it was for."""
    settings = load_settings(ROOT / "onje.toml", [])
    with TemporaryDirectory(prefix="onje-") as scratch:
        lake = Lake(Path(scratch) / "lake")
        simulate(Path(scratch), lake, WORLD, step=silently)
        events, products = lake.read("events"), lake.read("products")
        customers = lake.read("customers")
    history = to_history(events, products, settings=settings.features)
    as_of = max(events.get_column("known_at"))
    known = Knowledge(history, customers, products, pl.DataFrame(schema=MAIL), NO_CONDITIONS, {})
    requests = requests_of(history, run_id=str(uuid4()), as_of=as_of)

    def deciding(asked: pl.DataFrame) -> Callable[[], pl.DataFrame]:
        said = scores_of(
            asked.select("customer_id", "as_of"), known, NO_MODELS,
            settings=settings.serving, feature_settings=settings.features,
        )  # fmt: skip
        return lambda: decisions_of(
            asked, known, NO_MODELS, said, settings=settings.serving,
            feature_settings=settings.features, valuation=OWN,
        )  # fmt: skip

    everybody = deciding(requests)
    arms, instants = _considered(everybody)
    sent = everybody().filter(pl.col("action") == "send").height
    whole = _processor_ms(everybody) * 1_000 / requests.height
    values = np.random.default_rng(1).normal(size=max(instants, 1))
    starts = np.linspace(0, len(values), max(arms, 1), endpoint=False).astype(np.int64)
    raw = _processor_ms(lambda: np.maximum.reduceat(values, starts)) * 1_000 / requests.height
    return {
        "customers": requests.height,
        "emails": len(settings.emails),
        "arms": arms,
        "instants": instants,
        "sent": sent,
        "ms_per_1000": whole,
        "raw_ms_per_1000": raw,
        "ms_of_one": _processor_ms(deciding(requests.head(1))),
    }


def table(found: dict[str, Any]) -> str:
    """The figures as a markdown table."""
    ratio = found["ms_per_1000"] / found["raw_ms_per_1000"]
    return "\n".join(
        [
            f"Synthetic: {found['customers']:,} customers of the world {WORLD.world}, "
            f"{found['emails']} e-mails, {found['arms']:,} that compete, {found['instants']:,} "
            f"instants; processor time, median of {REPEATS}, scores not counted.",
            "",
            "| ms per 1,000 customers | goal | raw argmax over the same instants | ratio "
            "| ms of one decision |",
            "|---|---|---|---|---|",
            f"| {found['ms_per_1000']:.0f} | {GOAL_MS:.0f} | {found['raw_ms_per_1000']:.2f} "
            f"| {ratio:,.0f} | {found['ms_of_one']:.0f} |",
        ]
    )


def _considered(deciding: Callable[[], pl.DataFrame]) -> tuple[int, int]:
    """How many e-mails compete, and at how many instants."""
    seen: list[Instants] = []

    def watching(*args: Any, **named: Any) -> Instants:
        seen.append(valued_instants(*args, **named))
        return seen[-1]

    with patch("serving.policy.valued_instants", watching):
        deciding()
    frame = seen[0].frame
    return frame.get_column("arm").n_unique(), frame.height


def _processor_ms(what: Callable[[], object]) -> float:
    what()
    found = []
    for _ in range(REPEATS):
        begun = time.process_time()
        what()
        found.append(time.process_time() - begun)
    return 1_000 * median(found)


if __name__ == "__main__":
    print(table(run()))
