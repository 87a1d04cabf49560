"""Intervals hold the truth as often as they say: the benchmark `coverage`, in small."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.coverage_offpolicy import POPULATION, contests, estimates, summary, verdicts
from benchmarks.coverage_world import contest_in, drawn_chances, sampled, truth
from tests.training.offpolicy.logs import LENIENT
from training.evaluate import Floats
from training.offpolicy.cross_fit import Predict

SMALL = LENIENT.model_copy(update={"least_ess": 100})
# Rewards come more often than in the benchmark, so that small logs hold as many of them.
BASE, CUSTOMERS, REPLICATIONS = 0.15, 1500, 400


def arm_means(inputs: Floats, rewards: Floats) -> Predict:
    """The mean reward of each arm: the quickest model there is."""
    means = (inputs[:, 2:] * rewards[:, None]).sum(axis=0) / inputs[:, 2:].sum(axis=0)
    return lambda asked: asked[:, 2:] @ means


@pytest.fixture(scope="module")
def seen() -> dict[str, dict[str, float]]:
    found = estimates(
        range(REPLICATIONS),
        chances=drawn_chances(POPULATION, base=BASE, effect=0.5, seed=1),
        customers=CUSTOMERS,
        learn=arm_means,
        settings=SMALL,
    )
    return {one["estimator"]: one for one in summary(found)}


@pytest.mark.parametrize(
    "estimator",
    [
        "IPS",
        "SNIPS",
        "DR",
        "DR, its model being nonsense",
        "Switch-DR, threshold 55",
        "difference (SNIPS, where they disagree)",
        "difference (DR)",
        "SNIPS, policy in force",
    ],
)
def test_intervals_hold_the_truth(seen: dict[str, dict[str, float]], estimator: str) -> None:
    found = seen[estimator]
    assert found["not_evaluable"] == 0
    assert 0.90 <= found["holds"] <= 0.985
    # The mean of 400 estimates is exact to a twentieth of the deviation of one. Switch-DR believes
    # its model about a few rows, and the model of this test knows next to nothing.
    assert abs(found["bias"]) < (0.4 if "Switch" in estimator else 0.2) * found["deviation"]


def test_what_ought_to_fail_fails(seen: dict[str, dict[str, float]]) -> None:
    """Else the test above would pass by accident."""
    assert seen["naive: mean reward where the logs agree"]["holds"] < 0.1
    assert seen["Switch-DR, threshold 35"]["holds"] < 0.85
    clustered = seen["SNIPS, policy in force"]["holds"]
    assert seen["SNIPS, policy in force, rows as if independent"]["holds"] < clustered - 0.03


@pytest.mark.parametrize("kind", ["all arms equal", "no better than the best arm"])
def test_the_gate_lets_nobody_through_who_is_no_better(kind: str) -> None:
    contest = contests(kind, base=BASE)
    assert contest.gain == pytest.approx(0, abs=1e-12)
    promoted, _, told = judged(kind, logs=100, customers=2500)
    assert promoted <= 0.05
    # Not for want of a comparison.
    assert told == 1


def test_the_gate_lets_the_better_policy_through() -> None:
    assert contests("much better", base=BASE).gain > 0.05
    promoted, *_ = judged("much better", logs=20, customers=4000)
    assert promoted >= 0.9


def judged(kind: str, *, logs: int, customers: int) -> Floats:
    """Shares of the logs: promoted, policy in force beaten, everything could be compared."""
    seen = verdicts(range(logs), kind=kind, base=BASE, customers=customers, settings=SMALL)
    return np.mean(seen, axis=0)


def test_the_truth_of_a_world_is_what_happens_in_it() -> None:
    chances = np.random.default_rng(1).uniform(0.05, 0.3, size=(50, 3))
    contest = contest_in(chances, blur=1.0, most_rows=4, seed=1)
    # A huge log of a policy that always explores a tenth: its own mean, from where it was greedy.
    log = sampled(contest.world, contest.in_force, customers=200_000, seed=(9,))
    greedy = log.target("in force", contest.in_force)
    weight = log.log.of_chosen(greedy.chances) / log.log.propensity
    value = (weight * log.log.reward).mean()
    assert value == pytest.approx(truth(contest.world, contest.in_force), abs=0.004)
