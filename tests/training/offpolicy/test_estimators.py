"""Values of a policy, done by hand on a few rows and by another library on many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from tests.training.offpolicy.logs import LENIENT, STRICT, log_of, uniform
from training.evaluable import NotEvaluable
from training.offpolicy.estimators import Estimate, dr, ips, snips, switch_dr
from training.offpolicy.logged import Logged, Target, choosing

# Two arms. The target takes arm 1 always; the log took it in rows 0, 2 and 3.
LOG = log_of(
    """
    1 | 1 | 1 | 0.5
    1 | 0 | 1 | 0.5
    2 | 1 | 0 | 0.25
    3 | 1 | 1 | 0.8
    """,
    arms=2,
)
ONE = choosing("one", np.ones(4, np.int64), arms=2)
# Weights of the target: 2, 0, 4, 1.25.
PREDICTED = np.array([[0.2, 0.5], [0.2, 0.5], [0.1, 0.25], [0.6, 0.8]])


def known(found: Estimate | NotEvaluable) -> Estimate:
    assert isinstance(found, Estimate), found
    return found


def test_ips_by_hand() -> None:
    found = known(ips(LOG, ONE, settings=LENIENT))
    assert found.estimate == pytest.approx((2 + 0 + 0 + 1.25) / 4)
    assert found.ess == pytest.approx(7.25**2 / (4 + 16 + 1.5625))
    assert found.largest_share == pytest.approx(4 / 7.25)
    assert found.rows == 4


def test_the_surer_one_wants_to_be_the_wider_is_the_interval() -> None:
    surer = LENIENT.model_copy(update={"level": 0.99})
    usual, wide = (known(ips(LOG, ONE, settings=one)) for one in (LENIENT, surer))
    assert wide.low < usual.low < usual.estimate == wide.estimate < usual.high < wide.high


def test_snips_by_hand() -> None:
    found = known(snips(LOG, ONE, settings=LENIENT))
    assert found.estimate == pytest.approx(3.25 / 7.25)


def test_dr_by_hand() -> None:
    # The model's word on arm 1, and weight x what it missed where arm 1 was chosen.
    by_hand = (0.5 + 2 * 0.5) + (0.5 + 0) + (0.25 + 4 * -0.25) + (0.8 + 1.25 * 0.2)
    found = known(dr(LOG, ONE, PREDICTED, settings=LENIENT))
    assert found.estimate == pytest.approx(by_hand / 4)


@pytest.mark.parametrize(
    ("threshold", "corrections"),
    [(0.5, 0.0), (1.25, 0.25), (2, 0.25 + 1), (3.9, 0.25 + 1), (4, 0.25 + 1 - 1)],
)
def test_switch_dr_by_hand(threshold: float, corrections: float) -> None:
    found = known(switch_dr(LOG, ONE, PREDICTED, threshold=threshold, settings=LENIENT))
    assert found.estimate == pytest.approx((0.5 + 0.5 + 0.25 + 0.8 + corrections) / 4)


def test_the_interval_by_hand() -> None:
    # IPS: rows 2, 0, 0, 1.25 around .8125; customers 1, 2, 3 sum to .375, -.8125, .4375 (over 4).
    sums = np.array([2 - 0.8125 - 0.8125, -0.8125, 1.25 - 0.8125]) / 4
    error = np.sqrt((sums**2).sum() * 3 / 2)
    skew = (sums**3).sum() / (sums**2).sum() ** 1.5
    normal = 1.959964
    shift = error * skew * (2 * normal**2 + 1) / 6
    # Weights 2, 4 and 1.25 of three customers say as much as 2.44 equal ones.
    reach = student.ppf(0.975, 7.25**2 / (4 + 16 + 1.5625) - 1)
    found = known(ips(LOG, ONE, settings=LENIENT))
    assert found.low == pytest.approx(0.8125 + shift - reach * error)
    assert found.high == pytest.approx(0.8125 + shift + reach * error)


def test_customers_not_rows_say_how_sure_it_is() -> None:
    # The error of the mean of -1, 0, 1 is 1 / sqrt(3); Student's t of 2 degrees is 4.3027.
    log = log_of("1 | 0 | -1 | 1\n2 | 0 | 0 | 1\n3 | 0 | 1 | 1", arms=1)
    found = known(snips(log, Target("it", np.ones((3, 1))), settings=LENIENT))
    assert found.as_list() == pytest.approx([-4.302653 / 3**0.5, 0, 4.302653 / 3**0.5], rel=1e-6)
    assert found.customers == pytest.approx(3)


@pytest.mark.parametrize("estimator", [ips, snips])
def test_one_customer_or_one_reward_is_no_certainty(estimator) -> None:
    log = drawn_log(300, seed=6)
    target = Target("itself", propensities(log))
    trusting = LENIENT.model_copy(update={"least_customers": 1})
    alone, same = (
        replace(log, customer=np.zeros(300, np.int64)),
        replace(log, reward=np.full(300, 0.1)),
    )
    for odd in (alone, same):
        found = estimator(odd, target, settings=trusting)
        assert isinstance(found, NotEvaluable)
        assert found.reason.startswith("no customer of this log tells anything else")
    assert isinstance(estimator(log, target, settings=trusting), Estimate)


def test_many_rows_of_few_customers_are_few_customers() -> None:
    log = replace(drawn_log(3000, seed=7), customer=np.arange(3000) % 50)
    target = Target("itself", propensities(log))
    found = snips(log, target, settings=STRICT)
    assert isinstance(found, NotEvaluable)
    assert found.reason.startswith(
        "the log says as much about the policy 'itself' as 50 customers of equal weight would, "
        "100 are needed; log more customers"
    )
    fewer = STRICT.model_copy(update={"least_customers": 50})
    assert isinstance(snips(log, target, settings=fewer), Estimate)
    one = replace(log, customer=np.where(np.arange(3000) < 200, 0, np.arange(3000)))
    loud = snips(one, target, settings=STRICT)
    assert isinstance(loud, NotEvaluable)
    assert loud.reason.startswith("one customer carries 7% of the weight")


def test_a_policy_that_draws_is_weighted_by_its_chances() -> None:
    target = Target("half", uniform(4, 2))
    # Weights 1, 1, 2, .625.
    assert known(ips(LOG, target, settings=LENIENT)).estimate == pytest.approx(2.625 / 4)
    assert known(snips(LOG, target, settings=LENIENT)).estimate == pytest.approx(2.625 / 4.625)
    expected = PREDICTED.mean(axis=1).sum()
    missed = 1 * 0.5 + 1 * 0.8 + 2 * -0.25 + 0.625 * 0.2
    found = known(dr(LOG, target, PREDICTED, settings=LENIENT))
    assert found.estimate == pytest.approx((expected + missed) / 4)


def test_the_log_judges_its_own_policy_by_its_mean() -> None:
    log = drawn_log(500, seed=1)
    itself = Target("itself", propensities(log))
    for found in (ips(log, itself, settings=LENIENT), snips(log, itself, settings=LENIENT)):
        assert known(found).estimate == pytest.approx(log.reward.mean())
        assert known(found).ess == pytest.approx(500)


def test_adding_to_all_rewards_adds_just_that_to_snips() -> None:
    log = drawn_log(500, seed=2)
    target = choosing("two", np.full(500, 2), arms=3)
    richer = Logged(log.customer, log.chosen, log.reward + 5, log.propensity, log.possible)
    before, after = (known(snips(one, target, settings=LENIENT)) for one in (log, richer))
    assert np.array(after.as_list()) == pytest.approx(np.array(before.as_list()) + 5)


def test_rows_of_a_customer_copied_tell_nothing_new() -> None:
    log = drawn_log(300, seed=3)
    target = choosing("two", np.full(300, 2), arms=3)
    tenfold = log.only(np.ones(300, bool))
    tenfold = Logged(
        *(part.repeat(10) for part in (log.customer, log.chosen, log.reward, log.propensity)),
        possible=log.possible.repeat(10, axis=0),
    )
    once = known(snips(log, target, settings=LENIENT))
    often = known(snips(tenfold, Target("two", target.chances.repeat(10, 0)), settings=LENIENT))
    assert often.as_list() == pytest.approx(once.as_list())


def test_too_little_support_gives_no_number() -> None:
    thin = ips(LOG, ONE, settings=STRICT)
    assert isinstance(thin, NotEvaluable)
    assert thin.reason == (
        "the log says as much about the policy 'one' as 2 rows of equal weight would, "
        "1,000 are needed; log for longer, or explore more"
    )
    loud = snips(LOG, ONE, settings=LENIENT.model_copy(update={"most_share": 0.5}))
    assert isinstance(loud, NotEvaluable)
    assert loud.reason.startswith("one customer carries 55% of the weight about the policy 'one'")
    for found in (
        dr(LOG, ONE, PREDICTED, settings=STRICT),
        switch_dr(LOG, ONE, PREDICTED, threshold=1, settings=STRICT),
    ):
        assert found == thin


def test_what_the_log_never_could_choose_gives_no_number() -> None:
    possible = np.array([[1, 1], [1, 0], [1, 1], [0, 1]], bool)
    log = Logged(LOG.customer, LOG.chosen, LOG.reward, LOG.propensity, possible)
    found = snips(log, ONE, settings=LENIENT)
    assert isinstance(found, NotEvaluable)
    assert found.reason.startswith(
        "'one' may choose what the log never could in 1 of 4 rows (rows 1), arms 1"
    )
    allowed = choosing("allowed", np.array([1, 0, 1, 1]), arms=2)
    known(snips(log, allowed, settings=LENIENT))


def test_against_another_library() -> None:
    evaluation = pytest.importorskip(
        "contextualbandits.evaluation", reason="contextualbandits is a development dependency"
    )
    log = drawn_log(2000, seed=4)
    random = np.random.default_rng(5)
    arm = random.integers(3, size=2000)
    target, predicted = choosing("any", arm, arms=3), random.uniform(0.1, 0.9, size=(2000, 3))
    rows = np.arange(2000)
    theirs = evaluation.evaluateDoublyRobust(
        arm, np.zeros((2000, 1)), log.chosen, log.reward, log.propensity,
        np.stack([predicted[rows, arm], predicted[rows, log.chosen]], axis=1),
    )  # fmt: skip
    assert known(dr(log, target, predicted, settings=LENIENT)).estimate == pytest.approx(theirs)
    chances = random.dirichlet(np.ones(3), size=2000)
    theirs = evaluation.evaluateNCIS(
        chances[rows, log.chosen], log.reward, log.propensity, cmin=0.0, cmax=1e9
    )
    ours = known(snips(log, Target("drawing", chances), settings=LENIENT))
    assert ours.estimate == pytest.approx(theirs)


def propensities(log: Logged) -> np.ndarray:
    """The full vectors of `drawn_log`: 1/2, 1/4, 1/4."""
    return np.tile([0.5, 0.25, 0.25], (log.rows, 1))


def drawn_log(rows: int, *, seed: int) -> Logged:
    """A log of three arms, drawn with fixed chances; arm 2 pays most."""
    random = np.random.default_rng(seed)
    chosen = random.choice(3, size=rows, p=[0.5, 0.25, 0.25])
    return Logged(
        customer=random.integers(rows // 2, size=rows),
        chosen=chosen,
        reward=(random.random(rows) < np.array([0.1, 0.2, 0.5])[chosen]).astype(np.float64),
        propensity=np.array([0.5, 0.25, 0.25])[chosen],
        possible=np.ones((rows, 3), bool),
    )
