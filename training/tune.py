"""Better settings for a model's trees, looked for on days that come before those it is judged by.

The model is trained again and again by its own trainer, as if it were some time ago: each fold ends
no later than the first moment by which the model of today is judged, so the test slice is never
looked at, and within a fold the trainer keeps its own embargo. Features and labels of a fold are
made once, whatever is tried on them. The search minimises log-loss by
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
from training.trained import About, Fit, Trained

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
# One to search on, one to prove the gain.
FEWEST_FOLDS = 2


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
    `proof`, after all of `folds`, on which the search was made. `note` says what there was no time
    for, or nothing.
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
    note: str

    @property
    def toml(self) -> str:
        """The table as onje.toml would have it, with what is in force beside each value."""
        width = max(len(f"{name} = {_shown(value)}") for name, value in self.found.items())
        lines = [
            f"{f'{name} = {_shown(value)}':<{width}}  # now {_shown(self.present[name])}"
            for name, value in self.found.items()
        ]
        return "\n".join([f"[training.{self.table}]", *lines])


@dataclass(frozen=True, eq=False)
class Fold:
    """What was known until `end`, prepared; what the settings in force lose there, by case."""

    end: datetime
    fit: Fit
    customers: pl.Series
    now: Floats


@dataclass(frozen=True)
class Budget:
    """The seconds of [training.tuning], from the moment `begun` on."""

    seconds: int
    begun: float

    @property
    def spent(self) -> float:
        return time.monotonic() - self.begun

    @property
    def left(self) -> float:
        return self.seconds - self.spent


def tune(
    name: str,
    table: str,
    prepare: Callable[..., Fit],
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

    NotReadyError where the history before the test slice does not suffice for two folds, or the
    seconds do not suffice to prepare them and to try anything that is not in force.
    """
    budget = Budget(settings.tuning.seconds, time.monotonic())
    plain = settings.resampling.model_copy(update={"replicates": FEWEST_REPLICATES})
    present: TreeSettings = getattr(settings, table)
    now: Found = {key: getattr(present, key) for key in RANGES}

    def chosen(values: Found) -> TrainingSettings:
        update = {table: present.model_copy(update=values), "resampling": plain}
        return settings.model_copy(update=update)

    def prepared(end: datetime) -> Fold:
        fit = prepare(
            tables.history, tables.customers, tables.products, known_until=end,
            settings=chosen(now), feature_settings=feature_settings, about=about,
        )  # fmt: skip
        trained = fit(chosen(now))
        return Fold(end, fit, trained.examples.get_column("customer"), _losses(trained))

    ends = fold_ends(known_until, present, folds=settings.tuning.folds + 1)
    proof, *searched = _folds(ends, prepared, name, budget, step)
    doing = f"{name}: settings tried"
    step(doing, 0, trials)
    done: list[tuple[Found, float]] = []

    def loss(values: Found) -> float:
        losses = [
            (fold.now if values == now else _losses(fold.fit(chosen(values)))).mean()
            for fold in searched
        ]
        done.append((values, float(np.mean(losses))))
        step(doing, len(done), trials)
        return done[-1][1]

    _search(loss, now, trials=trials, budget=budget, seed=settings.tuning.seed)
    if len(done) < min(2, trials):
        raise _too_short(name, budget, "nothing but the settings in force had been tried")
    found, least = min(done, key=lambda one: one[1])
    if least >= done[0][1]:
        found = now
    after = proof.now if found == now else _losses(proof.fit(chosen(found)))
    return Tuned(
        name=name,
        table=table,
        present=now,
        found=found,
        gain=intervals(
            {"gain": mean(proof.now - after)},
            proof.customers.to_numpy(),
            settings=settings.resampling,
        )["gain"],
        folds=tuple(fold.end for fold in searched),
        proof=proof.end,
        trials=tuple(done),
        seconds=budget.spent,
        note=_note(len(done), trials, 1 + len(searched), len(ends), budget),
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


def _folds(
    ends: Sequence[datetime],
    prepared: Callable[[datetime], Fold],
    name: str,
    budget: Budget,
    step: Step,
) -> list[Fold]:
    """The folds for which there is history enough, and time, which are the newest; at least two.

    Of a third one, time is left for only if half of it remains for the search.
    """
    found, reason, longest = list[Fold](), "", 0.0
    doing = f"{name}: periods prepared"
    for end in ends:
        step(doing, len(found), len(ends))
        most = budget.seconds if len(found) < FEWEST_FOLDS else budget.seconds / 2
        begun = budget.spent
        if found and begun + longest > most:
            break
        try:
            found.append(prepared(end))
        except NotReadyError as problem:
            reason = str(problem)
            break
        longest = max(longest, budget.spent - begun)
    step(doing, len(found), len(found))
    if len(found) < FEWEST_FOLDS and not reason:
        raise _too_short(name, budget, f"{len(found)} of {len(ends)} periods were prepared")
    if len(found) < FEWEST_FOLDS:
        raise NotReadyError(
            f"tuning {name} needs two folds before the days by which it is judged, found "
            f"{len(found)} ({reason}); bring older events in with `onje ingest`, or shorten "
            "horizon_days or every_days in onje.toml"
        )
    return found


def _too_short(name: str, budget: Budget, reached: str) -> NotReadyError:
    return NotReadyError(
        f"the {budget.seconds} seconds for tuning {name} are too short: after {budget.spent:.0f} "
        f"of them {reached}; raise seconds under [training.tuning] in onje.toml"
    )


def _note(tried: int, trials: int, folds: int, wanted: int, budget: Budget) -> str:
    if tried >= trials:
        return ""
    fewer = f", and {folds} of {wanted} periods prepared" if folds < wanted else ""
    return (
        f"seconds = {budget.seconds} under [training.tuning] ended it: {tried} of {trials} "
        f"settings were tried{fewer}"
    )


def _losses(trained: Trained) -> Floats:
    return LOSSES[trained.model.name](trained.model, trained.examples)


def _search(
    loss: Callable[[Found], float], now: Found, *, trials: int, budget: Budget, seed: int
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

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(dict(now), skip_if_exists=False)
    study.optimize(objective, n_trials=trials, timeout=max(0.0, budget.left))


def _shown(value: Any) -> str:
    return f"{value:_}" if isinstance(value, int) else f"{value:.3g}"
