"""A personal policy is served only where it is surely better; its claim is its value."""

from __future__ import annotations

import numpy as np

from tests.training.mailed import RESPONSE
from training.evaluable import NotEvaluable
from training.evaluate import Floats
from training.offpolicy.cross_fit import Predict, logistic
from training.offpolicy.estimators import Estimate
from training.offpolicy.logged import Logged
from training.personal import Personal, learn_personal, too_few
from training.settings import OffPolicySettings

JUDGING = OffPolicySettings(least_ess=100, least_customers=50, most_share=0.05, level=0.95)


def learnt(rates: list[list[float]], *, rows: int = 6_000, seed: int = 1) -> Personal:
    """From a log of two arms drawn evenly; `rates` of each arm are those of two kinds of people."""
    random = np.random.default_rng(seed)
    kind, chosen = random.integers(0, 2, rows), random.integers(0, 2, rows)
    reward = (random.random(rows) < np.array(rates)[chosen, kind]).astype(np.float64)
    log = Logged(
        np.arange(rows), chosen, reward, np.full(rows, 0.5), np.ones((rows, 2), dtype=bool)
    )
    # A linear model needs to be told of what the kinds like differently; noise misleads it.
    features = np.column_stack([kind, random.normal(size=(rows, 3))]).astype(np.float64)

    def crossed(some: Floats) -> Floats:
        return np.column_stack([some, some[:, :4] * some[:, -1:]])

    def by_arm(inputs: Floats, rewards: Floats) -> Predict:
        predict = logistic(crossed(inputs), rewards)
        return lambda asked: predict(crossed(asked))

    return learn_personal(
        log, features, ["wait", "mail"], otherwise=0, learn=by_arm, folds=2, seed=1,
        settings=JUDGING,
    )  # fmt: skip


def test_where_people_differ_each_gets_what_suits_them() -> None:
    found = learnt([[0.1, 0.3], [0.3, 0.1]])
    assert found.is_personal
    assert isinstance(found.claim, Estimate)
    assert found.claim.low < 0.3 < found.claim.high
    assert all(isinstance(gain, Estimate) and gain.low > 0.05 for gain in found.gains.values())


def test_where_all_are_alike_the_best_fixed_arm_is_served() -> None:
    claims = []
    for seed in range(6):
        found = learnt([[0.1, 0.1], [0.2, 0.2]], seed=seed)
        assert not found.is_personal
        assert found.served.name == "mail for everybody"
        assert isinstance(found.claim, Estimate)
        claims.append(found.claim.low < 0.2 < found.claim.high)
    assert sum(claims) >= 5


def test_too_few_decisions_are_told_with_the_time_it_takes() -> None:
    assert too_few(50_000, 10, RESPONSE) is None
    found = too_few(10_000, 30, RESPONSE)
    assert isinstance(found, NotEvaluable)
    assert "50,000" in found.reason and "10,000" in found.reason and "120 more days" in found.reason
    sooner = RESPONSE.model_copy(update={"randomised_needed": 10_000})
    assert too_few(10_000, 30, sooner) is None
    assert "explore_emails" in str(too_few(0, 30, RESPONSE))
