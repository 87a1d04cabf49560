"""How often intervals of a policy's value hold the truth, and whom the gate lets through."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.coverage_simulator import simulated_chances
from benchmarks.coverage_world import (
    ARMS,
    Contest,
    Sample,
    as_good_as_the_best_arm,
    contest_in,
    drawn_chances,
    sampled,
    truth,
)
from training.evaluable import NotEvaluable
from training.evaluate import Floats
from training.offpolicy.cross_fit import Learn, cross_fitted, logistic
from training.offpolicy.differences import difference, dr_difference
from training.offpolicy.estimators import Estimate, dr, estimate, ips, snips, switch_dr
from training.offpolicy.logged import Target
from training.offpolicy.support import support
from training.policy_gate import judge_policies
from training.settings import OffPolicySettings

SETTINGS = Path(__file__).parents[1] / "onje.toml"
POPULATION = 20_000
MOST_ROWS = 8
NAMES = [f"arm {number}" for number in range(ARMS)]
# Replications that one worker does at a time.
CHUNK = 50

Found = Mapping[str, tuple[Estimate | NotEvaluable, float]]


@dataclass(frozen=True)
class Trials:
    """The gate in one world: customers in each log, and how many logs."""

    world: str
    customers: int
    replications: int


BASE, CUSTOMERS = 0.05, 8000
REPLICATIONS, SIMULATED_REPLICATIONS = 2000, 500
GATE = (
    Trials("all arms equal", CUSTOMERS, 1000),
    # Where it differs from the policy in force there is little to see: a larger log.
    Trials("no better than the best arm", 3 * CUSTOMERS, 400),
    Trials("better", CUSTOMERS, 200),
    Trials("better", 5 * CUSTOMERS, 100),
    Trials("much better", CUSTOMERS, 200),
    Trials("much better", 5 * CUSTOMERS, 100),
)


def written_settings() -> OffPolicySettings:
    """Those of onje.toml."""
    written = tomllib.loads(SETTINGS.read_text("utf-8"))
    return OffPolicySettings.model_validate(written["training"]["offpolicy"])


def all_estimates(
    contest: Contest, sample: Sample, *, learn: Learn, settings: OffPolicySettings
) -> Iterator[tuple[str, Estimate | NotEvaluable, float]]:
    """Every estimator on one log: its name, what it says, and the truth."""
    log = sample.log
    new, old = (
        sample.target("challenger", contest.challenger),
        sample.target("in force", contest.in_force),
    )
    value, old_value = (truth(contest.world, one) for one in (contest.challenger, contest.in_force))
    known = contest.world.known[sample.customer]
    everywhere = np.broadcast_to(known.mean(axis=1, keepdims=True), known.shape)
    features = np.stack([known, everywhere], axis=2)
    predicted = cross_fitted(log, features, learn=learn, folds=2, seed=1)
    nonsense = np.tile(np.linspace(0, 1, log.arms), (log.rows, 1))
    alone = replace(log, customer=np.arange(log.rows))

    yield "IPS", ips(log, new, settings=settings), value
    yield "SNIPS", snips(log, new, settings=settings), value
    yield "DR", dr(log, new, predicted, settings=settings), value
    yield "DR, its model being nonsense", dr(log, new, nonsense, settings=settings), value
    for threshold in (55.0, 35.0):
        found = switch_dr(log, new, predicted, threshold=threshold, settings=settings)
        yield f"Switch-DR, threshold {threshold:.0f}", found, value
    gain = value - old_value
    yield (
        "difference (SNIPS, where they disagree)",
        difference(log, new, old, settings=settings),
        gain,
    )
    yield "difference (DR)", dr_difference(log, new, old, predicted, settings=settings), gain
    yield "SNIPS, policy in force", snips(log, old, settings=settings), old_value
    yield (
        "SNIPS, policy in force, rows as if independent",
        snips(alone, old, settings=settings),
        old_value,
    )
    yield "naive: mean reward where the logs agree", _naive(sample, new, settings), value


def _naive(sample: Sample, target: Target, settings: OffPolicySettings) -> Estimate | NotEvaluable:
    """What a hurried analyst does: the mean reward of the rows where the target does the same."""
    log = sample.log
    agrees = log.of_chosen(target.chances)
    value = float((agrees * log.reward).sum() / agrees.sum())
    influence: Floats = agrees * (log.reward - value) / agrees.sum()
    found = support(agrees, log.customer)
    return estimate(value, influence, log, found=found, settings=settings)


def estimates(
    replications: range,
    *,
    chances: Floats,
    customers: int,
    learn: Learn,
    settings: OffPolicySettings,
) -> list[Found]:
    """Every estimator on each of some logs of a world: its chances [customers, arms] are given."""
    contest = contest_in(chances, blur=1.0, most_rows=MOST_ROWS, seed=1)
    return [
        {
            name: (found, real)
            for name, found, real in all_estimates(
                contest,
                sampled(contest.world, contest.in_force, customers=customers, seed=(1, number)),
                learn=learn,
                settings=settings,
            )
        }
        for number in replications
    ]


def contests(kind: str, *, base: float) -> Contest:
    """The worlds in which the gate is tried."""
    if kind == "no better than the best arm":
        return as_good_as_the_best_arm(POPULATION, base=base, most_rows=MOST_ROWS, seed=2)
    effect, blur = {
        "all arms equal": (0.0, 1.0),
        "better": (1.0, 2.0),
        "much better": (1.0, 8.0),
    }[kind]
    chances = drawn_chances(POPULATION, base=base, effect=effect, seed=2)
    return contest_in(chances, blur=blur, most_rows=MOST_ROWS, seed=2)


def verdicts(
    replications: range, *, kind: str, base: float, customers: int, settings: OffPolicySettings
) -> list[tuple[bool, bool, bool]]:
    """Of each log: whether the gate promotes, whether the policy in force by itself is beaten, and
    whether all comparisons could be made.
    """
    contest = contests(kind, base=base)
    seen = []
    for number in replications:
        sample = sampled(contest.world, contest.in_force, customers=customers, seed=(2, number))
        verdict = judge_policies(
            sample.log,
            sample.target("challenger", contest.challenger),
            sample.target("in force", contest.in_force),
            arms=NAMES,
            otherwise=0,
            settings=settings,
        )
        beaten = verdict.reasons[0].startswith("better")
        told = not any(reason.startswith("cannot") for reason in verdict.reasons)
        seen.append((verdict.promote, beaten, told))
    return seen


def summary(found: list[Found]) -> list[dict[str, Any]]:
    """Per estimator: how often it holds the truth, on which side it misses, bias, width, ESS."""
    lines = []
    for name in found[0]:
        numbers = [
            (*one.as_list(), one.ess, real)
            for one, real in (each[name] for each in found)
            if isinstance(one, Estimate)
        ]
        low, value, high, ess, real = np.array(numbers).T
        error = value - real
        lines.append(
            {
                "estimator": name,
                "replications": len(found),
                "not_evaluable": 1 - len(numbers) / len(found),
                "holds": float(((low <= real) & (real <= high)).mean()),
                "truth_below": float((real < low).mean()),
                "truth_above": float((real > high).mean()),
                "truth": float(real.mean()),
                "bias": float(error.mean()),
                "deviation": float(error.std()),
                "width": float((high - low).mean()),
                "ess": float(ess.mean()),
            }
        )
    return lines


def run(workers: Executor) -> dict[str, Any]:
    """Coverage of every estimator, and the gate in worlds with and without an effect."""
    settings = written_settings()
    worlds = {
        "drawn": (drawn_chances(POPULATION, base=BASE, effect=0.5, seed=1), REPLICATIONS),
        "simulated": (simulated_chances(customers=POPULATION, seed=1), SIMULATED_REPLICATIONS),
    }
    covered = {}
    for name, (chances, replications) in worlds.items():
        work = partial(
            estimates, chances=chances, customers=CUSTOMERS, learn=logistic, settings=settings
        )
        found = [one for part in workers.map(work, _chunks(replications)) for one in part]
        covered[name] = summary(found)
    gate = []
    for trials in GATE:
        judge = partial(
            verdicts,
            kind=trials.world,
            base=BASE,
            customers=trials.customers,
            settings=settings,
        )
        seen = [one for part in workers.map(judge, _chunks(trials.replications)) for one in part]
        contest = contests(trials.world, base=BASE)
        promoted, beaten, told = np.mean(seen, axis=0)
        gate.append(
            asdict(trials)
            | {
                "value_in_force": truth(contest.world, contest.in_force),
                "gain": contest.gain,
                "promoted": float(promoted),
                "beats_in_force": float(beaten),
                "not_evaluable": 1 - float(told),
            }
        )
    return {"customers": CUSTOMERS, "estimators": covered, "gate": gate}


def _chunks(replications: int) -> list[range]:
    return [
        range(first, min(first + CHUNK, replications)) for first in range(0, replications, CHUNK)
    ]


def table(measured: dict[str, Any]) -> str:
    """The figures as three markdown tables."""
    lines = [
        "| challenger | customers in a log | its true gain | promoted "
        "| surely better than the policy in force | not evaluable | replications |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one['world']} | {one['customers']:,} | {one['gain'] / one['value_in_force']:+.1%} "
        f"| {one['promoted']:.1%} | {one['beats_in_force']:.1%} "
        f"| {one['not_evaluable']:.1%} | {one['replications']:,} |"
        for one in measured["gate"]
    ]
    parts = [
        "Six arms, rewards around 5 %:",
        _covered(measured["estimators"]["drawn"]),
        "Clicks on a newsletter at six hours of a day in the simulated shop `rich`:",
        _covered(measured["estimators"]["simulated"]),
        "The gate:",
        "\n".join(lines),
    ]
    return "\n\n".join(parts)


def _covered(estimators: list[dict[str, Any]]) -> str:
    # One scale for all, the challenger's value: a difference has next to nothing to be a share of.
    value = estimators[0]["truth"]
    lines = [
        "| estimator | holds the truth | truth below it | truth above it | bias "
        "| standard deviation | ESS | replications |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one['estimator']} | {one['holds']:.1%} | {one['truth_below']:.1%} "
        f"| {one['truth_above']:.1%} | {one['bias'] / value:+.1%} "
        f"| {one['deviation'] / value:.1%} | {one['ess']:,.0f} "
        f"| {one['replications']:,} |"
        for one in estimators
    ]
    return "\n".join(lines)
