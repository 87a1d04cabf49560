"""Response and uplift beside their baselines: Hillstrom (real, randomised) and worlds (synthetic).

Half of Hillstrom's 64,000 customers: shared data. Learners S, T, X and DR are econml's, with
LightGBM; Qini is scikit-uplift's. All out of fold, gains paired by resampled customers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.model_rows import OURS, Row, Step, as_markdown
from pipelines.settings import load_settings
from training.evaluate import Floats, Interval
from training.offpolicy.cross_fit import trees
from training.offpolicy.estimators import Estimate
from training.offpolicy.logged import Logged
from training.personal import learn_personal
from training.uplift import _scikit_uplift

ROOT = Path(__file__).parents[1]
ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
INPUTS = ("recency", "history", "mens", "womens", "newbie")
FOLDS, DRAWS, SEED = 2, 200, 1
HILLSTROM = "Hillstrom (half, real)"


def rows(step: Step) -> list[Row]:
    """The policy and the ranking on Hillstrom; worlds are in `onje evaluate policy`."""
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
    # A fixed, even mixture of ranks is less volatile than any of its parts.
    ranks = [pl.Series(scores[one]).rank().to_numpy() for one in (f"one column: {column}", "X")]
    scores = {OURS: np.sum(ranks, axis=0), **scores}
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
            _around(whole[name], np.array(drawn[name])),
            None if name == OURS else _around(
                whole[OURS] - whole[name], np.array(drawn[OURS]) - np.array(drawn[name])
            ),
            seconds.get(name), "mean of the ranks of the column and X" if name == OURS else "",
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
