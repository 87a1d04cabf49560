"""Onje against rules and the oracle in simulated worlds of which the truth is known.

Five worlds a seed, decided weekly. `python -m benchmarks policies` runs two worlds at a time and
keeps each finished run in .onje/policies: killed half-way, it goes on where it stood, as long as
code and settings stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pipelines.console import silently
from pipelines.evaluation.compare import Comparison
from pipelines.evaluation.contest import contest, folder_of
from pipelines.evaluation.names import NOBODY, ONJE, ORACLE, RULES
from pipelines.evaluation.page import gain_text, share_text
from pipelines.evaluation.plan import Plan, planned
from pipelines.settings import load_settings

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".onje" / "policies"
SEEDS, EVERY_DAYS, HISTORY_WEEKS = 5, 7, 26
CUSTOMERS = 1_000
AT_ONCE = 2
SHOWN = (RULES, ONJE, ORACLE)


@dataclass(frozen=True)
class Bout:
    """A world, how long it is played, and how often models are trained anew."""

    world: str
    weeks: int
    retrain_weeks: int


# The longest first, so that none of two processors waits long for the other.
BOUTS = (
    Bout("default", 26, 13),
    Bout("default", 8, 4),
    Bout("fatigue", 8, 4),
    Bout("drift", 8, 4),
    Bout("small-hour", 8, 4),
    Bout("tiny", 8, 4),
)


def run() -> list[dict[str, Any]]:
    """One comparison per bout, as plain JSON with the texts that the table shows."""
    plans = [_plan(bout) for bout in BOUTS]
    seeds = [(plan, seed) for plan in plans for seed in plan.seeds]
    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(_play, *zip(*seeds, strict=True)):
            pass
    # Every run is there now, and only they are put side by side.
    return [_compared(plan) for plan in plans]


def table(found: Sequence[dict[str, Any]]) -> str:
    """A Markdown table, one row per world."""
    head = (
        "world", "weeks", *(f"margin: {policy}" for policy in SHOWN),
        *(f"unsubscribes: {policy}" for policy in SHOWN), "margin of onje over nobody",
        "onje's share of the oracle's gain over rules",
    )  # fmt: skip
    lines = [
        f"Synthetic: at most {CUSTOMERS:,} customers, {HISTORY_WEEKS} weeks of history, a decision "
        f"every {EVERY_DAYS} days, {SEEDS} seeds; money per customer and unsubscribes per world, "
        "means over seeds, 95 % intervals over seeds.",
        "",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(one['row'])} |" for one in found),
    ]
    return "\n".join(lines)


def _plan(bout: Bout) -> Plan:
    plan = planned(
        world=bout.world, customers=None, history_weeks=None, weeks=bout.weeks,
        every_days=EVERY_DAYS, retrain_weeks=bout.retrain_weeks, first_seed=1, seeds=SEEDS,
        policies=",".join((NOBODY, RULES, ONJE, ORACLE)),
    )  # fmt: skip
    return replace(
        plan,
        customers=min(plan.customers, CUSTOMERS),
        history_weeks=min(plan.history_weeks, HISTORY_WEEKS),
    )


def _play(plan: Plan, seed: int) -> None:
    """One seed of a plan, in a folder of its own, where nobody else works."""
    settings = load_settings(ROOT / "onje.toml", [])
    alone = replace(plan, seeds=(seed,))
    folder = folder_of(plan, KEPT, settings)
    contest(
        alone,
        folder.with_name(f"{folder.name}-{seed}"),
        restart=False,
        settings=settings,
        step=silently,
    )


def _compared(plan: Plan) -> dict[str, Any]:
    settings = load_settings(ROOT / "onje.toml", [])
    folder = folder_of(plan, KEPT, settings)
    folder.mkdir(parents=True, exist_ok=True)
    for seed in plan.seeds:
        played = folder.with_name(f"{folder.name}-{seed}") / f"seed-{seed}"
        link = folder / f"seed-{seed}"
        if not link.exists():
            link.symlink_to(played, target_is_directory=True)
    comparison = contest(plan, folder, restart=False, settings=settings, step=silently)
    return comparison.as_dict() | {"row": _row(comparison)}


def _row(comparison: Comparison) -> list[str]:
    lines = {line.policy: line for line in comparison.lines}
    customers = comparison.plan.customers
    return [
        comparison.plan.world,
        str(comparison.plan.weeks),
        *(f"{lines[policy].totals['margin'] / customers:.3f}" for policy in SHOWN),
        *(f"{lines[policy].totals['unsubscribes']:.1f}" for policy in SHOWN),
        gain_text(lines[ONJE].over_nobody),
        share_text(lines[ONJE].share),
    ]
