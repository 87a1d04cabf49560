"""Better settings for a model's trees, looked for on days that come before those it is judged by.

The model is trained again and again by its own trainer, as if it were some time ago: each fold ends
no later than the first moment by which the model of today is judged, so the test slice is never
looked at, and within a fold the trainer keeps its own embargo. The search minimises log-loss by
Bayesian optimisation (TPE: Bergstra et al. 2011, in Optuna) on the older folds; the newest one is
not searched on, so that what it says of the gain is not what the search was made to please.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from features.errors import NotReadyError
from features.settings import FeatureSettings
from training.evaluate import Floats, Interval, intervals, mean
from training.losses import LOSSES
from training.settings import TrainingSettings, TreeSettings
from training.trained import About, Trained

Step = Callable[[str, int, int], None]
Found = dict[str, int | float]

# Whatever is in force is tried first, also where it lies outside. More trees or leaves than this
# would not fit into the night.
RANGES: Mapping[str, tuple[float, float]] = {
    "rounds": (30, 300),
    "learning_rate": (0.01, 0.3),
    "leaves": (2, 31),
    "rows_in_leaf": (10, 3_000),
    "shrinkage": (0.1, 100.0),
}
WHOLE = ("rounds", "leaves", "rows_in_leaf")
# The trainer's own intervals are not looked at while searching.
FEWEST_REPLICATES = 200


@dataclass(frozen=True)
class Tables:
    """What every trainer gets."""

    history: pl.DataFrame
    customers: pl.DataFrame
    products: pl.DataFrame


@dataclass(frozen=True)
class Tuned:
    """What a search has found for a model whose settings stand in the table `table`.

    `gain` is the paired gain in log-loss of `found` over `present` on the fold that ends at
    `proof`, after all of `folds`, on which the search was made.
    """

    name: str
    table: str
    present: Found
    found: Found
    gain: Interval
    folds: tuple[datetime, ...]
    proof: datetime
    trials: tuple[tuple[Found, float], ...]
    seconds: float

    @property
    def toml(self) -> str:
        """The table as onje.toml would have it, with what is in force beside each value."""
        width = max(len(f"{name} = {_shown(value)}") for name, value in self.found.items())
        lines = [
            f"{f'{name} = {_shown(value)}':<{width}}  # now {_shown(self.present[name])}"
            for name, value in self.found.items()
        ]
        return "\n".join([f"[training.{self.table}]", *lines])


def tune(
    name: str,
    table: str,
    trainer: Callable[..., Trained],
    tables: Tables,
    *,
    known_until: datetime,
    settings: TrainingSettings,
    feature_settings: FeatureSettings,
    about: About,
    trials: int,
    step: Step,
) -> Tuned:
    """Try `trials` settings, or as many as fit into the seconds of [training.tuning].

    NotReadyError where the history before the test slice does not suffice for two folds.
    """
    begun = time.monotonic()
    plain = settings.resampling.model_copy(update={"replicates": FEWEST_REPLICATES})
    present: TreeSettings = getattr(settings, table)

    def tried(end: datetime, values: Found) -> Trained:
        chosen = settings.model_copy(
            update={table: present.model_copy(update=values), "resampling": plain}
        )
        return trainer(
            tables.history, tables.customers, tables.products, known_until=end, settings=chosen,
            feature_settings=feature_settings, about=about,
        )  # fmt: skip

    now: Found = {key: getattr(present, key) for key in RANGES}
    doing = f"{name}: settings tried"
    step(doing, 0, trials)
    ends = fold_ends(known_until, present, folds=settings.tuning.folds + 1)
    proof, *searched = _trainable(ends, lambda end: tried(end, now), name)
    done: list[tuple[Found, float]] = []

    def loss(values: Found) -> float:
        losses = [_losses(tried(end, values)).mean() for end in searched]
        done.append((values, float(np.mean(losses))))
        step(doing, len(done), trials)
        return done[-1][1]

    _search(loss, now, trials=trials, begun=begun, settings=settings)
    found, least = min(done, key=lambda one: one[1])
    if least >= done[0][1]:
        found = now
    before, after = tried(proof, now), tried(proof, found)
    customers = before.examples.get_column("customer").to_numpy()
    gain = {"gain": mean(_losses(before) - _losses(after))}
    return Tuned(
        name=name,
        table=table,
        present=now,
        found=found,
        gain=intervals(gain, customers, settings=settings.resampling)["gain"],
        folds=tuple(searched),
        proof=proof,
        trials=tuple(done),
        seconds=time.monotonic() - begun,
    )


def fold_ends(known_until: datetime, table: TreeSettings, *, folds: int) -> list[datetime]:
    """Until when is known what each fold sees, the newest first.

    The newest ends with the first moment at which the model of today is judged; of what happened
    after that, no fold sees anything.
    """
    said = table.model_dump()
    spans = ("horizon_days", "click_days", "order_days")
    horizon = max(said.get(key, 0) for key in spans)
    judged = said.get("test_days", 7 * said.get("test_weeks", 0))
    every = said.get("every_days") or judged or horizon
    judged = judged or (said.get("test_snapshots", 1) - 1) * every
    midnight = known_until.replace(hour=0, minute=0, second=0, microsecond=0)
    newest = midnight - timedelta(days=horizon + judged)
    return [newest - n * timedelta(days=every) for n in range(folds)]


def _trainable(
    ends: Sequence[datetime], trained: Callable[[datetime], Trained], name: str
) -> list[datetime]:
    """The folds for which there is history enough, which are the newest; at least two."""
    found, reason = list[datetime](), ""
    for end in ends:
        try:
            trained(end)
        except NotReadyError as problem:
            reason = str(problem)
            break
        found.append(end)
    if len(found) < 2:
        raise NotReadyError(
            f"tuning {name} needs two folds before the days by which it is judged, found "
            f"{len(found)} ({reason}); bring older events in with `onje ingest`, or shorten "
            "horizon_days or every_days in onje.toml"
        )
    return found


def _losses(trained: Trained) -> Floats:
    return LOSSES[trained.model.name](trained.model, trained.examples)


def _search(
    loss: Callable[[Found], float],
    now: Found,
    *,
    trials: int,
    begun: float,
    settings: TrainingSettings,
) -> None:
    """Call `loss` with one setting after the other, the present ones first."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: optuna.Trial) -> float:
        values: Found = {}
        for key, (least, most) in RANGES.items():
            low, high = min(least, now[key]), max(most, now[key])
            if key in WHOLE:
                values[key] = trial.suggest_int(key, int(low), int(high), log=True)
            else:
                # Three digits: nobody can choose more, and nobody should copy more.
                value = trial.suggest_float(key, max(low, 1e-3), high, log=True)
                values[key] = float(f"{value:.3g}")
        return loss(now if trial.number == 0 else values)

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=settings.tuning.seed))
    study.enqueue_trial(dict(now), skip_if_exists=False)
    left = settings.tuning.seconds - (time.monotonic() - begun)
    study.optimize(objective, n_trials=trials, timeout=max(1.0, left))


def _shown(value: Any) -> str:
    return f"{value:_}" if isinstance(value, int) else f"{value:.3g}"
