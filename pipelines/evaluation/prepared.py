"""The same past for every policy: a world that has been lived, in a lake, with models of it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from features.errors import NotReadyError
from features.lake import Lake
from pipelines.console import Step, silently
from pipelines.evaluation.plan import Plan
from pipelines.models import TRAINERS
from pipelines.retrain import retrain
from pipelines.settings import Settings
from pipelines.simulator.into_lake import into_lake
from pipelines.simulator.past_mail import send_history
from pipelines.simulator.run import Run, begin
from pipelines.simulator.world import World, create
from pipelines.simulator.worlds import known_world
from training.registry import Registry

# Files that say how far a home was prepared.
STORED, TRAINED = "stored", "trained"


@dataclass(frozen=True)
class Prepared:
    """A world whose history has been lived until `world.start`.

    `home` holds the lake and the models as they are at that moment; `run` is to be forked.
    """

    world: World
    run: Run
    home: Path
    seed: int


def prepare(
    plan: Plan, seed: int, home: Path, *, with_models: bool, settings: Settings, step: Step
) -> Prepared:
    """Live the history and learn from it; what is there from before is used again."""
    step(f"history of seed {seed}", 0, 3)
    world = create(
        known_world(plan.world),
        customers=plan.customers,
        history_weeks=plan.history_weeks,
        weeks=plan.weeks,
        seed=seed,
    )
    run = begin(world)
    send_history(world, run)
    told = run.events(world.start)
    step(f"history of seed {seed}", 1, 3)
    if not (home / STORED).exists():
        # Half a home is worth nothing: who finds one begins anew.
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        into_lake(world, told, Lake(home / "lake"), step=silently)
        (home / STORED).touch()
    step(f"history of seed {seed}", 2, 3)
    if with_models and not (home / TRAINED).exists():
        # Of a training that was killed, half the versions may be on record.
        for kept in ("models", "artifacts"):
            shutil.rmtree(home / kept, ignore_errors=True)
        (home / "mlflow.db").unlink(missing_ok=True)
        learn(home, world.start, settings)
        (home / TRAINED).touch()
    step(f"history of seed {seed}", 3, 3)
    return Prepared(world, run, home, seed)


def learn(home: Path, now: datetime, settings: Settings) -> None:
    """Train what can be trained on what is known by `now`; the gate says what becomes champion.

    Where the history suffices for no model at all, decisions are made without one, as they would.
    """
    with suppress(NotReadyError):
        retrain(
            list(TRAINERS), Lake(home / "lake"), Registry(home, None),
            known_until=now, trained_at=now, promote=True, settings=settings, step=silently,
        )  # fmt: skip


def home_for(prepared: Prepared, folder: Path) -> Path:
    """A home of its own for one policy: whatever it adds, the others do not see."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(prepared.home, folder)
    return folder
