"""Onje against rules, chance and the oracle in simulated worlds of which the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipelines.console import silently
from pipelines.evaluation.compare import Comparison
from pipelines.evaluation.contest import contest
from pipelines.evaluation.names import NOBODY, ONJE, ORACLE, RANDOM, RULES
from pipelines.evaluation.page import gain_text, share_text
from pipelines.evaluation.plan import planned
from pipelines.settings import load_settings

ROOT = Path(__file__).parents[1]
WORLDS = (
    "default", "strong-hour", "null-hour", "null-everything", "confounded", "fatigue", "rich",
)  # fmt: skip
CUSTOMERS, WEEKS, EVERY_DAYS = 2000, 8, 7


def run() -> list[dict[str, Any]]:
    """One comparison per world, as plain JSON with the texts that the table shows."""
    settings = load_settings(ROOT / "onje.toml", [])
    found = []
    for world in WORLDS:
        plan = planned(
            world=world, customers=CUSTOMERS, history_weeks=26, weeks=WEEKS,
            every_days=EVERY_DAYS, retrain_weeks=4, first_seed=1, seeds=1,
            policies=",".join((NOBODY, RULES, RANDOM, ONJE, ORACLE)),
        )  # fmt: skip
        with TemporaryDirectory(prefix="onje-") as scratch:
            comparison = contest(
                plan, Path(scratch) / world, restart=False, settings=settings, step=silently
            )
        found.append(comparison.as_dict() | {"row": _row(comparison)})
    return found


def table(found: Sequence[dict[str, Any]]) -> str:
    """A Markdown table, one row per world."""
    head = (
        "world", "mails: rules", "onje", "oracle", "margin over nobody: rules", "onje", "oracle",
        "onje's share of the oracle's gain", "random's", "uplift of onje by the holdout",
    )  # fmt: skip
    lines = [
        f"Synthetic: {CUSTOMERS:,} customers, 26 weeks of history, {WEEKS} weeks with a decision "
        f"every {EVERY_DAYS} days, seed 1; money per customer, 95 % intervals over customers.",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(one['row'])} |" for one in found),
    ]
    return "\n".join(lines)


def _row(comparison: Comparison) -> list[str]:
    lines = {line.policy: line for line in comparison.lines}
    shown = (RULES, ONJE, ORACLE)
    return [
        comparison.plan.world,
        *(f"{lines[policy].mails_per_customer:.2f}" for policy in shown),
        *(gain_text(lines[policy].over_nobody) for policy in shown),
        share_text(lines[ONJE].share),
        share_text(lines[RANDOM].share),
        gain_text(comparison.uplift),
    ]
