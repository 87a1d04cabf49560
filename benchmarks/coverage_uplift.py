"""How often intervals of uplift and of metrics hold the truth, and whom the gain gate lets through.

Everything is simulated. Uplift: money per customer, most of them spend nothing, 5 % held out; what
was spent before is the covariate. Metrics: 300 customers with three rows each that are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from training.calibration import calibration_error, observed_to_expected
from training.curves import lift_at
from training.evaluate import (
    Floats,
    Interval,
    Metric,
    auc,
    average_precision,
    intervals,
    log_losses,
    loss,
    mean,
)
from training.model.model import sigmoid
from training.ranking import list_metrics
from training.settings import ResamplingSettings
from training.uplift import Ints, holdout_uplift

RESAMPLING = ResamplingSettings(replicates=200, level=0.95, seed=1, least_customers=30)
REPLICATIONS = 2000
CHUNK = 100
ROWS_OF_ONE = 3
LISTED = 0.2
# Customers in the experiment, how uneven baskets are (sd of their logarithm), how often mailed
# customers order, as a multiple of the others.
EXPERIMENTS = (
    (2_000, 0.5, 1.15),
    (10_000, 0.5, 1.15),
    (10_000, 1.0, 1.15),
    (20_000, 1.0, 1.15),
    (20_000, 0.5, 1.0),
    (10_000, 0.5, 2.0),
)
# Name, share of positives (roughly), spread and lift of the log-odds: 1 and 0 promise what is true.
PROMISES = (
    ("30 % positive, true promises", -0.9, 1.0, 0.0),
    ("30 % positive, promises far off", -0.9, 1.6, 0.3),
    ("5 % positive, true promises", -3.3, 1.0, 0.0),
)

Told = tuple[str, float, Interval | None]


def run(workers: Executor) -> dict[str, Any]:
    """The tables of uplift, metrics and the gate, as lists of rows."""
    uplift = [
        {"experiment": f"{customers:,} customers, baskets {spread}, orders x {effect}", **row}
        for customers, spread, effect in EXPERIMENTS
        for row in _coverage(workers, partial(_uplifts, customers, spread, effect))
    ]
    metrics = [
        {"rows": name, **row}
        for name, level, spread, lift in PROMISES
        for row in _coverage(
            workers,
            partial(_metrics, level, spread, lift, _true_metrics(level, spread, lift)),
        )
    ]
    metrics += [{"rows": "lists", **row} for row in _coverage(workers, _recalls)]
    promoted = list(workers.map(_promoted, _chunks()))
    return {
        "uplift": uplift,
        "metrics": metrics,
        "promoted": float(np.concatenate(promoted).mean()),
    }


def table(measured: Mapping[str, Any]) -> str:
    """The figures as markdown."""
    parts = [
        _rows(("experiment", "interval"), measured["uplift"]),
        _rows(("rows", "interval"), measured["metrics"]),
        f"The gate of the models promotes {measured['promoted']:.1%} of challengers that are as "
        f"good as the baseline ({REPLICATIONS:,} draws; at most 5 % may be).",
    ]
    return "\n\n".join(parts)


def _rows(names: tuple[str, ...], rows: list[dict[str, Any]]) -> str:
    head = [*names, "holds the truth", "too high", "too low", "evaluable"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [
        f"| {' | '.join(row[name] for name in names)} | {row['held']:.1%} | {row['too_high']:.1%} "
        f"| {row['too_low']:.1%} | {row['evaluable']:.0%} |"
        for row in rows
    ]
    return "\n".join(lines)


def _chunks() -> list[range]:
    return [range(start, start + CHUNK) for start in range(0, REPLICATIONS, CHUNK)]


def _coverage(workers: Executor, ask: Callable[[range], list[Told]]) -> list[dict[str, Any]]:
    told = [one for chunk in workers.map(ask, _chunks()) for one in chunk]
    rows = []
    for name in dict.fromkeys(name for name, _, _ in told):
        given = [(truth, found) for one, truth, found in told if one == name]
        known = [(truth, found) for truth, found in given if found is not None]
        too_high = np.mean([found.low > truth for truth, found in known])
        too_low = np.mean([found.high < truth for truth, found in known])
        rows.append(
            {
                "interval": name,
                "held": float(1 - too_high - too_low),
                "too_high": float(too_high),
                "too_low": float(too_low),
                "evaluable": len(known) / len(given),
            }
        )
    return rows


def _uplifts(customers: int, spread: float, effect: float, seeds: range) -> list[Told]:
    told: list[Told] = []
    for seed in seeds:
        random = np.random.default_rng([1, seed])
        orders = 0.3 * random.gamma(0.5, 2.0, customers)
        each = 50 * np.exp(random.normal(0, spread, customers))
        treated = np.arange(customers) >= round(0.05 * customers)
        before = random.poisson(2 * orders) * each
        spent = random.poisson(orders * np.where(treated, effect, 1.0)) * each
        truth = 0.3 * (effect - 1) * 50 * float(np.exp(spread**2 / 2))
        for name, covariate in (("uplift", None), ("uplift, past spend taken out", before)):
            found = holdout_uplift(
                spent, treated, np.arange(customers), before=covariate, level=RESAMPLING.level
            )
            told.append((name, truth, found if isinstance(found, Interval) else None))
    return told


def _promises(
    customers: int, level: float, spread: float, lift: float, *key: int
) -> tuple[Floats, Floats, Ints]:
    """Labels, probabilities, customers; a customer's rows share what is seen and what is hidden."""
    random = np.random.default_rng([2, *key])
    seen, hidden = (random.normal(size=customers).repeat(ROWS_OF_ONE) for _ in range(2))
    log_odds = level + 0.8 * seen
    points, weights = np.polynomial.hermite_e.hermegauss(15)
    promised = sigmoid(log_odds[:, None] + 0.5 * points) @ weights / weights.sum()
    happens = random.random(len(seen)) < sigmoid(log_odds + 0.5 * hidden)
    told = sigmoid(spread * np.log(promised / (1 - promised)) + lift)
    return happens.astype(np.float64), told, np.arange(customers).repeat(ROWS_OF_ONE)


def _metrics_of(labels: Floats, told: Floats) -> dict[str, Metric]:
    return {
        "AUC": auc(labels, told),
        "AP": average_precision(labels, told),
        "log-loss": loss(log_losses(labels, told), most=np.inf),
        "observed to expected": observed_to_expected(labels, told),
        "lift at 10 %": lift_at(0.1, labels, told),
    }


def _true_metrics(level: float, spread: float, lift: float) -> dict[str, float]:
    labels, told, customers = _promises(300_000, level, spread, lift, 0)
    everybody_once = np.ones((len(labels), 1))
    truth = {
        name: float(metric.of(metric.parts @ everybody_once)[0])
        for name, metric in _metrics_of(labels, told).items()
    }
    # What is left of a perfect calibration in 900,000 rows is chance, and known to be.
    is_true = spread == 1 and lift == 0
    error = calibration_error(labels, told, customers, settings=RESAMPLING)
    return truth | {"ECE": 0.0 if is_true else error.estimate}


def _metrics(
    level: float, spread: float, lift: float, truth: Mapping[str, float], seeds: range
) -> list[Told]:
    told: list[Told] = []
    for seed in seeds:
        labels, promised, customers = _promises(300, level, spread, lift, 1, seed)
        found = intervals(_metrics_of(labels, promised), customers, settings=RESAMPLING)
        found["ECE"] = calibration_error(labels, promised, customers, settings=RESAMPLING)
        told += [(name, truth[name], interval) for name, interval in found.items()]
    return told


def _recalls(seeds: range) -> list[Told]:
    """Lists that hold each ordered item with a chance of the customer's own, on average LISTED."""
    told: list[Told] = []
    for seed in seeds:
        random = np.random.default_rng([3, seed])
        customers = np.arange(100).repeat(ROWS_OF_ONE)
        chance = random.beta(0.5, 0.5 * (1 - LISTED) / LISTED, 100)[customers]
        wanted = 1 + random.poisson(2.0, len(customers))
        recall = pl.Series(random.binomial(wanted, chance) / wanted)
        measured = pl.DataFrame(
            {
                f"{kind}{measure}": recall if (kind, measure) == ("", "recall") else recall * 0
                for kind in ("", "repeat_", "explore_")
                for measure in ("recall", "ndcg", "phr")
            }
        )
        metric = {"recall at 10": list_metrics(measured, top=10)["recall_at_10"]}
        found = intervals(metric, customers, settings=RESAMPLING)["recall at 10"]
        told.append(("recall at 10", LISTED, found))
    return told


def _promoted(seeds: range) -> list[bool]:
    """Whether a challenger passes that errs as much as the baseline, each in its own way."""
    passed = []
    for seed in seeds:
        labels, promised, customers = _promises(300, -0.9, 1.0, 0.0, 4, seed)
        random = np.random.default_rng([5, seed])
        log_odds = np.log(promised / (1 - promised))
        challenger, baseline = (
            log_losses(labels, sigmoid(log_odds + random.normal(0, 0.3, len(labels))))
            for _ in range(2)
        )
        gain = intervals({"gain": mean(baseline - challenger)}, customers, settings=RESAMPLING)
        passed.append(gain["gain"].low > 0)
    return passed
