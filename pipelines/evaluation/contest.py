"""All runs of a plan, each (seed, policy) kept when it is done: killed half-way, it goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from features.errors import NotReadyError
from pipelines.console import Step
from pipelines.evaluation.compare import Comparison, compare
from pipelines.evaluation.names import ONJE
from pipelines.evaluation.outcome import Outcome, load, save
from pipelines.evaluation.plan import Plan
from pipelines.evaluation.rounds import play
from pipelines.evaluation.stage import set_stage
from pipelines.retrain import code_version
from pipelines.settings import Settings


def folder_of(plan: Plan, root: Path, settings: Settings) -> Path:
    """Where the runs of `plan` are kept: other settings or other code, another folder."""
    return root / plan.folder_name(settings=settings.fingerprint, code=code_version())


def contest(
    plan: Plan, folder: Path, *, restart: bool, settings: Settings, step: Step
) -> Comparison:
    """Play every policy in every seed's world, where that is not done yet, and compare.

    With `restart`, what was done before is thrown away first. NotReadyError where somebody else
    is working in the same folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise NotReadyError(
            f"{folder} is being worked in by another process; wait for it, or choose another plan"
        ) from None
    try:
        if restart:
            shutil.rmtree(folder)
        outcomes = [
            outcome
            for seed in plan.seeds
            for outcome in _of_seed(plan, seed, folder / f"seed-{seed}", settings, step)
        ]
    finally:
        lock.release()
    return compare(plan, outcomes, settings=settings)


def _of_seed(plan: Plan, seed: int, folder: Path, settings: Settings, step: Step) -> list[Outcome]:
    done = {policy: load(folder / policy) for policy in plan.policies}
    todo = [policy for policy, outcome in done.items() if outcome is None]
    if todo:
        stage = set_stage(
            plan, seed, folder / "history", with_models=ONJE in todo, settings=settings, step=step
        )
        for policy in todo:
            outcome = play(policy, plan, stage, folder / "work", settings=settings, step=step)
            save(outcome, folder / policy)
            done[policy] = outcome
    return [outcome for outcome in done.values() if outcome is not None]
