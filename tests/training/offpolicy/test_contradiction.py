"""Propensities that cannot be true are not believed; those that can be are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.errors import DataError
from tests.training.offpolicy.logs import LENIENT, STRICT, log_of, uniform
from tests.training.test_policy_gate import LOG, ROWS, SUITING
from training.evaluable import NotEvaluable
from training.evaluate import Floats
from training.offpolicy.contradiction import contradicted
from training.offpolicy.differences import difference, dr_difference
from training.offpolicy.estimators import dr, ips, snips
from training.offpolicy.logged import Logged, Target, choosing
from training.offpolicy.support import weights
from training.policy_gate import judge_policies

CART = choosing("cart", np.ones(ROWS, np.int64), arms=3)
NOTHING = np.zeros((ROWS, 3))


def states(propensity: float) -> Logged:
    """Three arms drawn alike, so that 1/3 is true of every row."""
    return replace(LOG, propensity=np.full(ROWS, propensity))


# A third written with two digits is no contradiction.
@pytest.mark.parametrize(
    ("propensity", "mean"), [(0.01, "3"), (0.2, "1.6"), (0.33, None), (0.5, "0.6"), (0.9, "0.3")]
)
def test_a_propensity_is_believed_only_if_it_can_be_true(
    propensity: float, mean: str | None
) -> None:
    log = states(propensity)
    found = [
        ips(log, CART, settings=STRICT),
        snips(log, CART, settings=STRICT),
        dr(log, CART, NOTHING, settings=STRICT),
        difference(log, SUITING, CART, settings=STRICT),
        difference(log, CART, SUITING, settings=STRICT),
        dr_difference(log, SUITING, CART, NOTHING, settings=STRICT),
    ]
    for one in found:
        if mean is None:
            assert not isinstance(one, NotEvaluable)
        else:
            assert isinstance(one, NotEvaluable)
            assert one.reason.startswith("the propensities of this log cannot be true: the weights")
            assert f"are {mean}" in one.reason and "on average instead of 1" in one.reason
            assert "log the very chance with which the chosen arm was drawn" in one.reason


def test_the_gate_promotes_nobody_on_such_a_log() -> None:
    verdicts = [
        judge_policies(
            states(propensity), SUITING, CART,
            arms=("wait", "cart", "news"), otherwise=0, settings=STRICT,
        )
        for propensity in (1 / 3, 0.01)
    ]  # fmt: skip
    assert [verdict.promote for verdict in verdicts] == [True, False]
    assert all("cannot be true" in reason for reason in verdicts[1].reasons)


def test_how_much_luck_there_may_be_by_hand() -> None:
    # 100 customers of two rows, weights of 2 at most: b = 2 x 2, V = 2 x 100 x 4, L = ln 200,000.
    surprise = np.log(200_000)
    jump = 4 * surprise / 3
    luck = (jump + np.sqrt(jump**2 + 2 * 800 * surprise)) / 200
    log = log_of("\n".join(f"{row // 2} | 0 | 1 | 0.5" for row in range(200)), arms=2)
    target = Target("any", uniform(200, 2))
    every = np.ones(200, bool)
    for side in (-1, 1):
        within, beyond = (np.full(200, 1 + side * (0.01 + luck * times)) for times in (0.99, 1.01))
        assert contradicted(log, target, within, every) is None
        assert contradicted(log, target, beyond, every) is not None


def test_only_the_rows_asked_about_count() -> None:
    odd = replace(LOG, propensity=np.where(np.arange(ROWS) < 6000, 1 / 3, 0.05))
    weight = weights(odd, CART)
    assert contradicted(odd, CART, weight, np.arange(ROWS) < 6000) is None
    assert contradicted(odd, CART, weight, np.arange(ROWS) >= 6000) is not None


def rarely_explored(seed: int) -> tuple[Logged, Target]:
    """An honest log whose target differs from it in a few rows, by a choice made once in 60."""
    random = np.random.default_rng([11, seed])
    rows = 4000
    usual = np.zeros(rows, np.int64)
    chosen = np.where(random.random(rows) < 1 / 60, 1, usual)
    log = Logged(
        customer=np.arange(rows),
        chosen=chosen,
        reward=random.random(rows),
        propensity=np.where(chosen == 1, 1 / 60, 59 / 60),
        possible=np.ones((rows, 2), bool),
    )
    return log, choosing("rare", (np.arange(rows) < 200).astype(np.int64), arms=2)


def test_an_honest_log_is_not_refused_for_want_of_luck() -> None:
    refused, deceived = 0, 0
    for seed in range(300):
        log, target = rarely_explored(seed)
        weight: Floats = weights(log, target)
        refused += contradicted(log, target, weight, np.ones(log.rows, bool)) is not None
        error = weight.std(ddof=1) / np.sqrt(log.rows)
        deceived += abs(weight.mean() - 1) > 4.4 * error
    assert refused == 0
    # An error found from the weights would have been deceived: the test is no easy one.
    assert deceived >= 5


def test_certainty_among_several_possible_arms_is_refused_with_what_to_log() -> None:
    text = "1 | 0 | 1 | 0.5\n2 | 0 | 0 | 1.0"
    with pytest.raises(DataError, match=r"all that was possible, but not in 1 of 2 rows \(rows 1"):
        log_of(text, arms=2)
    with pytest.raises(DataError, match="log the chosen arm alone as `possible`"):
        states(1.0)
    alone = log_of("1 | 0 | 1 | 1.0\n2 | 0 | 0 | 1.0\n3 | 0 | 1 | 1.0", arms=1)
    mine = Target("it", np.ones((3, 1)))
    assert not isinstance(snips(alone, mine, settings=LENIENT), NotEvaluable)
