"""Response and uplift beside their baselines: Hillstrom (real, randomised) and worlds (synthetic).

Half of Hillstrom's 64,000 customers: shared data. Learners S, T, X and DR are econml's, with
LightGBM; Qini is scikit-uplift's. All out of fold, gains paired by resampled customers.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.model_rows import OURS, Row, Step, as_markdown
from features.errors import NotReadyError
from features.history import to_history
from pipelines.settings import load_settings
from pipelines.simulator.past_mail import send_history
from pipelines.simulator.run import begin
from pipelines.simulator.world import create
from pipelines.simulator.worlds import known_world
from training.evaluate import Floats, Interval
from training.offpolicy.cross_fit import trees
from training.offpolicy.estimators import Estimate
from training.offpolicy.logged import Logged
from training.personal import learn_personal
from training.response import Outcome, train_response
from training.trained import About
from training.uplift import _scikit_uplift

ROOT = Path(__file__).parents[1]
ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
INPUTS = ("recency", "history", "mens", "womens", "newbie")
FOLDS, DRAWS, SEED = 2, 200, 1
HILLSTROM = "Hillstrom (half, real)"
# Chosen by time alone.
WORLDS, CUSTOMERS, WEEKS, WORLD_SEED = ("default", "rich"), 3_000, 26, 11
NO_RANKER = "Onje ranks nobody by uplift from so few randomised decisions"
OUTCOMES: tuple[Outcome, ...] = ("click", "order", "unsubscribe")


def rows(step: Step) -> list[Row]:
    """The policy and the ranking on Hillstrom, where it is there, and the models in worlds."""
    return [*_on_hillstrom(step), *_in_worlds(step)]


def _in_worlds(step: Step) -> list[Row]:
    found = []
    for place, name in enumerate(WORLDS):
        step("response: worlds (synthetic)", place, len(WORLDS))
        found += _in_world(name)
    step("response: worlds (synthetic)", len(WORLDS), len(WORLDS))
    return found


def _in_world(name: str) -> list[Row]:
    world = create(
        known_world(name), customers=CUSTOMERS, history_weeks=WEEKS, weeks=0, seed=WORLD_SEED
    )
    run = begin(world)
    send_history(world, run)
    settings = load_settings(ROOT / "onje.toml", patches=[])
    features = settings.features.model_copy(update={"base_currency": "USD"})
    history = to_history(run.events(world.start), world.products, settings=features)
    data = f"world {name} (synthetic), {CUSTOMERS:,} customers, seed {WORLD_SEED}"
    found = []
    for outcome in OUTCOMES:
        began = time.perf_counter()
        try:
            trained = train_response(
                history, world.customers, world.products, outcome=outcome,
                known_until=world.start, settings=settings.training, feature_settings=features,
                about=About({}, "benchmark", world.start, synthetic=True),
            )  # fmt: skip
        except NotReadyError as problem:
            print(f"{data}: {problem}", file=sys.stderr)
            continue
        took, report = time.perf_counter() - began, trained.report
        for who, metrics in report.metrics.items():
            is_ours = who == "model"
            found += [
                Row(
                    data, f"{outcome} after a mail", OURS if is_ours else who, metric,
                    metrics[kind],
                    report.gain if who == report.baseline and kind == "log_loss" else None,
                    took if is_ours else None, "",
                )
                for metric, kind in (("log-loss", "log_loss"), ("AUC", "auc"))
            ]  # fmt: skip
    return found


def _on_hillstrom(step: Step) -> list[Row]:
    data = _hillstrom()
    if data is None:
        return []
    found = []
    for place, reward in enumerate(("visit", "spend")):
        step(f"Hillstrom, policy by {reward}", place, 4)
        found += _policy(data, reward)
    for place, (arm, column) in enumerate((("Womens", "womens"), ("Mens", "history"))):
        step(f"Hillstrom, Qini of {arm}", 2 + place, 4)
        found += _ranking(data, f"{arm} E-Mail", column)
    step("Hillstrom", 4, 4)
    return found


def _hillstrom() -> pl.DataFrame | None:
    beside = Path(os.environ.get("ONJE_SHARED_DATA", ROOT.parent / "shared" / "data"))
    file = beside / "hillstrom" / "hillstrom_half.parquet"
    return pl.read_parquet(file) if file.exists() else None


def _features(data: pl.DataFrame) -> Floats:
    codes = [pl.col(name).rank("dense").alias(f"{name}_code") for name in ("zip_code", "channel")]
    inputs: Floats = data.select(*INPUTS, *codes).cast(pl.Float64).to_numpy()
    return inputs


def _policy(data: pl.DataFrame, reward: str) -> list[Row]:
    settings = load_settings(ROOT / "onje.toml", []).training
    chosen = data["segment"].replace_strict({a: n for n, a in enumerate(ARMS)}).to_numpy()
    count = data.height
    log = Logged(
        np.arange(count), chosen, data[reward].cast(pl.Float64).to_numpy(),
        np.full(count, 1 / 3), np.ones((count, 3), dtype=bool),
    )  # fmt: skip
    began = time.perf_counter()
    found = learn_personal(
        log, _features(data), ARMS, otherwise=0, learn=trees(settings.response), folds=FOLDS,
        seed=SEED, settings=settings.offpolicy,
    )  # fmt: skip
    took = time.perf_counter() - began
    if not isinstance(found.claim, Estimate):
        return []
    task, claim = f"policy by {reward}", _interval(found.claim)
    note = f"serves {found.served.name}"
    made = [Row(HILLSTROM, task, OURS, f"{reward} per customer", claim, None, took, note)]
    for name, gain in found.gains.items():
        if isinstance(gain, Estimate):
            method = f"personal by trees less {name}"
            note = "served only where this is surely above zero for each fixed arm"
            gained = _interval(gain)
            made.append(Row(HILLSTROM, task, method, "gain per customer", gained, None, None, note))
    for name, promise in (
        ("what the personal model promises", found.promised),
        ("what a T-learner promises", _t_learner(data, reward, settings)),
    ):
        off = promise / found.claim.estimate - 1
        made.append(
            Row(HILLSTROM, task, name, f"{reward} per customer", promise, None, None,
                f"{off:+.1%} of what is served; a promise, not a measurement")
        )  # fmt: skip
    return made


def _t_learner(data: pl.DataFrame, reward: str, settings: Any) -> float:
    """What argmax over a model for each arm says of itself, on the rows that it learnt from."""
    inputs, rewards = _features(data), data[reward].cast(pl.Float64).to_numpy()
    told = []
    for arm in ARMS:
        mine = (data["segment"] == arm).to_numpy()
        told.append(trees(settings.response)(inputs[mine], rewards[mine])(inputs))
    return float(np.max(told, axis=0).mean())


def _ranking(data: pl.DataFrame, arm: str, column: str) -> list[Row]:
    some = data.filter(pl.col("segment").is_in(["No E-Mail", arm]))
    inputs, treated = _features(some), (some["segment"] == arm).to_numpy()
    visited = some["visit"].to_numpy().astype(np.int64)
    fold = np.random.default_rng(SEED).permutation(some.height) % FOLDS
    scores = {f"one column: {column}": some[column].cast(pl.Float64).to_numpy()}
    seconds = dict.fromkeys(scores, 0.0)
    for name, learner in _learners().items():
        began, said = time.perf_counter(), np.empty(some.height)
        for number in range(FOLDS):
            mine, others = fold == number, fold != number
            fitted = learner().fit(visited[others], treated[others].astype(int), X=inputs[others])
            said[mine] = np.ravel(fitted.effect(inputs[mine]))
        scores[name], seconds[name] = said, time.perf_counter() - began
    qini, random = _scikit_uplift()["qini"], np.random.default_rng(SEED)
    drawn: dict[str, list[float]] = {name: [] for name in scores}
    groups = [np.flatnonzero(treated), np.flatnonzero(~treated)]
    for _ in range(DRAWS):
        again = np.concatenate([random.choice(group, len(group)) for group in groups])
        for name, score in scores.items():
            drawn[name].append(qini(visited[again], score[again], treated[again].astype(int)))
    whole = {n: qini(visited, score, treated.astype(int)) for n, score in scores.items()}
    return [
        Row(
            HILLSTROM, f"who visits because of {arm}", name, "Qini",
            _around(whole[name], np.array(drawn[name])), None, seconds.get(name), NO_RANKER,
        )
        for name in scores
    ]  # fmt: skip


def _learners() -> dict[str, Callable[[], Any]]:
    from econml.dr import DRLearner
    from econml.metalearners import SLearner, TLearner, XLearner
    from lightgbm import LGBMClassifier, LGBMRegressor

    shape: dict[str, Any] = {
        "n_estimators": 80, "num_leaves": 7, "min_child_samples": 200, "learning_rate": 0.05,
        "n_jobs": 1, "verbose": -1,
    }  # fmt: skip
    return {
        "S": lambda: SLearner(overall_model=LGBMRegressor(**shape)),
        "T": lambda: TLearner(models=LGBMRegressor(**shape)),
        "X": lambda: XLearner(
            models=LGBMRegressor(**shape), propensity_model=LGBMClassifier(**shape)
        ),
        "DR": lambda: DRLearner(
            model_propensity=LGBMClassifier(**shape), model_regression=LGBMRegressor(**shape),
            model_final=LGBMRegressor(**shape), cv=2, random_state=SEED,
        ),
    }  # fmt: skip


def _around(estimate: float, drawn: Floats) -> Interval:
    reach = 1.96 * float(np.nanstd(drawn))
    return Interval(float(estimate) - reach, float(estimate), float(estimate) + reach)


def _interval(found: Estimate) -> Interval:
    return Interval(found.low, found.estimate, found.high)


if __name__ == "__main__":
    print(as_markdown(rows(lambda what, done, of: None)))
