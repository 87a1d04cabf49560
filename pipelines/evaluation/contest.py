"""All runs of a plan, each (seed, policy) kept when it is done: killed half-way, it goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from features.errors import NotReadyError
from pipelines.console import Step
from pipelines.evaluation.compare import Comparison, compare
from pipelines.evaluation.names import ONJE
from pipelines.evaluation.page import page_of
from pipelines.evaluation.plan import Plan
from pipelines.evaluation.prepared import prepare
from pipelines.evaluation.result import Result, load, save
from pipelines.evaluation.rounds import play
from pipelines.retrain import code_version
from pipelines.settings import Settings


def folder_of(plan: Plan, root: Path, settings: Settings) -> Path:
    """Where the runs of `plan` are kept: other settings or other code, another folder."""
    return root / plan.folder_name(settings=settings.fingerprint, code=code_version())


def contest(
    plan: Plan, folder: Path, *, restart: bool, settings: Settings, step: Step
) -> Comparison:
    """Play every policy in every seed's world, where that is not done yet; compare, and report.

    The report is written to `folder` as report.html and report.json. With `restart`, what was done
    before is thrown away first. NotReadyError where the folder cannot be written, or somebody else
    is working in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock"), timeout=0):
            if restart:
                shutil.rmtree(folder)
            comparison = _played(plan, folder, settings, step)
            _report(comparison, folder, currency=settings.features.base_currency)
    except Timeout:
        raise NotReadyError(
            f"{folder} is being worked in by another process; wait for it, or choose another plan"
        ) from None
    except OSError as problem:
        raise NotReadyError(
            f"{folder} cannot be written: {problem}; make room, or choose another folder with --out"
        ) from problem
    return comparison


def _played(plan: Plan, folder: Path, settings: Settings, step: Step) -> Comparison:
    results = [
        result
        for seed in plan.seeds
        for result in _of_seed(plan, seed, folder / f"seed-{seed}", settings, step)
    ]
    return compare(plan, results, settings=settings)


def _report(comparison: Comparison, folder: Path, *, currency: str) -> None:
    (folder / "report.html").write_text(page_of(comparison, currency), "utf-8")
    (folder / "report.json").write_text(json.dumps(comparison.as_dict(), indent=2), "utf-8")


def _of_seed(plan: Plan, seed: int, folder: Path, settings: Settings, step: Step) -> list[Result]:
    done = {policy: load(folder / policy) for policy in plan.policies}
    todo = [policy for policy, result in done.items() if result is None]
    if todo:
        prepared = prepare(
            plan, seed, folder / "history", with_models=ONJE in todo, settings=settings, step=step
        )
        for policy in todo:
            result = play(policy, plan, prepared, folder / "work", settings=settings, step=step)
            save(result, folder / policy)
            done[policy] = result
    return [result for result in done.values() if result is not None]
