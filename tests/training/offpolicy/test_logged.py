"""What is a log and what is not, told by name and row."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from features.errors import DataError
from tests.training.offpolicy.logs import LENIENT, STRICT, log_of, uniform
from training.evaluable import NotEvaluable
from training.offpolicy.estimators import Estimate, ips, snips
from training.offpolicy.logged import Logged, Target, always, choosing, read_log
from training.offpolicy.support import support, weights

FRAME = pl.DataFrame(
    {
        "customer_id": ["ann", "bob", "ann"],
        "arm": ["cart", "wait", "wait"],
        "reward": [1, 0, 0],
        "propensity": [0.5, 0.95, 0.25],
        "possible": [["wait", "cart"], ["wait"], ["welcome", "wait", "cart"]],
    }
)
ARMS = ("wait", "cart", "welcome")


def test_a_log_from_a_frame() -> None:
    log = read_log(FRAME, arms=ARMS)
    assert log.customer.tolist() == [1, 2, 1]
    assert log.chosen.tolist() == [1, 0, 0]
    assert log.reward.tolist() == [1, 0, 0]
    assert log.propensity.tolist() == [0.5, 0.95, 0.25]
    assert log.possible.tolist() == [[True, True, False], [True, False, False], [True] * 3]


def test_a_log_without_propensities_is_refused_with_what_to_log() -> None:
    with pytest.raises(DataError, match="lacks possible, propensity; .* log the chances when you"):
        read_log(FRAME.drop("propensity", "possible"), arms=ARMS)
    with pytest.raises(
        DataError, match=r"states its propensity, but not in 1 of 3 rows \(rows 1\)"
    ):
        read_log(FRAME.with_columns(propensity=pl.Series([0.5, None, 0.25])), arms=ARMS)


def test_an_arm_that_is_not_known_is_named() -> None:
    with pytest.raises(DataError, match="not known: cart; known are wait, welcome"):
        read_log(FRAME, arms=("wait", "welcome"))


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.2, np.nan])
def test_a_propensity_that_is_none_is_named(wrong: float) -> None:
    text = f"1 | 0 | 1 | 0.5\n2 | 1 | 0 | {wrong}\n3 | 0 | 0 | 1.0"
    with pytest.raises(DataError, match=r"above 0 and at most at 1, .* 1 of 3 rows \(rows 1\)"):
        log_of(text, arms=2)


def test_the_first_rows_are_named_and_all_are_counted() -> None:
    text = "\n".join(f"{row} | 0 | 1 | 2" for row in range(5))
    with pytest.raises(DataError, match=r"in 5 of 5 rows \(rows 0, 1, 2, \.\.\.\); log the chance"):
        log_of(text, arms=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reward": np.array([1.0, np.inf])}, r"a reward is a number, but not in 1 of 2"),
        ({"chosen": np.array([0, 2])}, r"one of 0 to 1, but not in 1 of 2 rows \(rows 1\)"),
        ({"chosen": np.array([0, -1])}, r"one of 0 to 1, but not in 1 of 2 rows \(rows 1\)"),
        ({"possible": np.array([[0, 1], [1, 1]], bool)}, r"chosen was possible, .* \(rows 0\)"),
        ({"customer": np.array([1, 2, 3])}, r"one row per decision: found \[2, 3\] rows"),
    ],
)
def test_what_cannot_be_a_log_is_refused(change: dict[str, np.ndarray], message: str) -> None:
    good = {
        "customer": np.array([1, 2]),
        "chosen": np.array([0, 1]),
        "reward": np.array([1.0, 0.0]),
        "propensity": np.array([0.5, 0.5]),
        "possible": np.ones((2, 2), bool),
    }
    Logged(**good)
    with pytest.raises(DataError, match=message):
        Logged(**(good | change))


def test_an_empty_log_is_refused() -> None:
    nothing = np.array([])
    with pytest.raises(DataError, match=r"found \[0\] rows"):
        Logged(nothing, nothing, nothing, nothing, np.ones((0, 2), bool))


@pytest.mark.parametrize("chances", [[0.5, 0.4], [1.2, -0.2], [np.nan, 1.0]])
def test_chances_of_a_policy_sum_to_one(chances: list[float]) -> None:
    with pytest.raises(DataError, match=r"policy 'odd' are not negative .* 1 of 2 rows \(rows 1\)"):
        Target("odd", np.array([[0.5, 0.5], chances]))


def test_a_fixed_arm_gives_way_where_it_is_not_possible() -> None:
    log = read_log(FRAME, arms=ARMS)
    welcome = always("welcome", log, arm=2, otherwise=0)
    assert welcome.chances.argmax(axis=1).tolist() == [0, 0, 2]


def test_weights_and_support_by_hand() -> None:
    log = log_of("1 | 0 | 1 | 0.5\n2 | 1 | 0 | 0.25\n3 | 1 | 0 | 0.1", arms=2)
    weight = weights(log, choosing("one", np.ones(3, np.int64), arms=2))
    assert weight.tolist() == pytest.approx([0, 4, 10])
    found = support(weight, log.customer)
    assert found.ess == found.customers == pytest.approx(14**2 / (16 + 100))
    assert found.largest_share == pytest.approx(10 / 14)


def test_the_weights_of_a_customer_are_added_up() -> None:
    found = support(np.array([1.0, -3.0, 4.0, 0.0]), np.array([7, 7, 2, 9]))
    assert found.ess == pytest.approx(64 / 26)
    assert found.customers == pytest.approx(2)
    assert found.largest_share == pytest.approx(0.5)


def test_the_support_of_a_difference_is_that_of_an_evenly_split_experiment() -> None:
    # 90 rows for one policy, 10 for the other: as exact as 36 rows split 18 to 18.
    weight = np.array([1 / 90] * 90 + [-1 / 10] * 10)
    assert support(weight, np.arange(100)).ess == pytest.approx(4 / (1 / 90 + 1 / 10))


def test_no_weight_at_all_is_no_support() -> None:
    log = log_of("1 | 0 | 1 | 0.5\n2 | 0 | 0 | 0.5", arms=2)
    found = ips(log, choosing("other", np.ones(2, np.int64), arms=2), settings=LENIENT)
    assert isinstance(found, NotEvaluable)
    assert found.reason.startswith("the log says as much about the policy 'other' as 0 rows")


def test_how_much_support_is_needed_is_a_setting() -> None:
    log = log_of("\n".join(f"{row} | {row % 2} | {row % 3} | 0.5" for row in range(3000)), arms=2)
    target = Target("uniform", uniform(3000, 2))
    assert isinstance(snips(log, target, settings=STRICT), Estimate)
    stricter = STRICT.model_copy(update={"least_ess": 3001})
    assert isinstance(snips(log, target, settings=stricter), NotEvaluable)
