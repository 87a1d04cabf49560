"""Which of two policies is better: by hand, and where nothing can be said."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.offpolicy.logs import LENIENT, STRICT, log_of
from training.evaluable import NotEvaluable
from training.offpolicy.differences import difference, dr_difference
from training.offpolicy.estimators import Estimate, dr
from training.offpolicy.logged import Logged, choosing

LOG = log_of(
    """
    1 | 1 | 3 | 0.5
    1 | 0 | 1 | 0.5
    2 | 1 | 9 | 0.9
    2 | 0 | 2 | 0.25
    3 | 1 | 5 | 0.25
    4 | 0 | 7 | 0.5
    """,
    arms=2,
)
# They agree in rows 2 and 5. Where they disagree, new is arm 1 and old is arm 0.
NEW = choosing("new", np.array([1, 1, 1, 1, 1, 0]), arms=2)
OLD = choosing("old", np.array([0, 0, 1, 0, 0, 0]), arms=2)


def known(found: Estimate | NotEvaluable) -> Estimate:
    assert isinstance(found, Estimate), found
    return found


def test_a_difference_by_hand() -> None:
    # New speaks in rows 0 and 4 (weights 2, 4), old in rows 1 and 3 (2, 4).
    gain = (2 * 3 + 4 * 5) / 6 - (2 * 1 + 4 * 2) / 6
    found = known(difference(LOG, NEW, OLD, settings=LENIENT))
    assert found.estimate == pytest.approx(4 / 6 * gain)
    assert found.ess == pytest.approx(12**2 / (4 + 4 + 16 + 16))
    assert found.rows == 6


def test_the_interval_of_a_difference_by_hand() -> None:
    share, ours, theirs = 4 / 6, 26 / 6, 10 / 6
    gain = ours - theirs
    rows = np.array(
        [
            share * 2 * (3 - ours) / 6 + gain * (1 - share) / 6,
            -share * 2 * (1 - theirs) / 6 + gain * (1 - share) / 6,
            -gain * share / 6,
            -share * 4 * (2 - theirs) / 6 + gain * (1 - share) / 6,
            share * 4 * (5 - ours) / 6 + gain * (1 - share) / 6,
            -gain * share / 6,
        ]
    )
    sums = np.array([rows[0] + rows[1], rows[2] + rows[3], rows[4], rows[5]])
    error = np.sqrt((sums**2).sum() * 4 / 3)
    found = known(difference(LOG, NEW, OLD, settings=LENIENT))
    # Weights of disagreement by customer: 4, 4, 4. The fourth customer says nothing.
    assert found.customers == pytest.approx(3)
    assert found.high - found.low == pytest.approx(2 * 4.302653 * error)
    skew = (sums**3).sum() / (sums**2).sum() ** 1.5
    middle = found.estimate + error * skew * (2 * 1.959964**2 + 1) / 6
    assert (found.high + found.low) / 2 == pytest.approx(middle)


def test_what_happens_where_they_agree_does_not_matter() -> None:
    richer = LOG.reward.copy()
    richer[[2, 5]] = 1000
    changed = Logged(LOG.customer, LOG.chosen, richer, LOG.propensity, LOG.possible)
    before = known(difference(LOG, NEW, OLD, settings=LENIENT))
    assert known(difference(changed, NEW, OLD, settings=LENIENT)) == before


def test_turned_round_it_is_the_negative() -> None:
    one = known(difference(LOG, NEW, OLD, settings=LENIENT))
    other = known(difference(LOG, OLD, NEW, settings=LENIENT))
    assert [-other.high, -other.estimate, -other.low] == pytest.approx(one.as_list())


def test_the_doubly_robust_difference_is_the_difference_of_the_values() -> None:
    predicted = np.random.default_rng(1).uniform(0, 9, size=(6, 2))
    found = known(dr_difference(LOG, NEW, OLD, predicted, settings=LENIENT))
    new, old = (known(dr(LOG, one, predicted, settings=LENIENT)) for one in (NEW, OLD))
    assert found.estimate == pytest.approx(new.estimate - old.estimate)
    assert found.ess == pytest.approx(12**2 / (4 + 4 + 16 + 16))


@pytest.mark.parametrize("of", ["snips", "dr"])
def test_where_nothing_can_be_said_it_is_said_why(of: str) -> None:
    def asked(log: Logged, one=NEW, other=OLD, settings=LENIENT) -> str:
        if of == "snips":
            found = difference(log, one, other, settings=settings)
        else:
            found = dr_difference(log, one, other, np.ones((log.rows, 2)), settings=settings)
        assert isinstance(found, NotEvaluable)
        return found.reason

    assert asked(LOG, NEW, NEW) == "'new' and 'new' do the same in every row"
    thin = "the log says as much about where 'new' and 'old' disagree as 4 rows"
    assert asked(LOG, settings=STRICT).startswith(thin)
    could_not = LOG.possible.copy()
    could_not[3, 1] = False
    log = Logged(LOG.customer, LOG.chosen, LOG.reward, LOG.propensity, could_not)
    assert asked(log).startswith("'new' may choose what the log never could in 1 of 6 rows")


def test_a_policy_for_which_no_row_speaks_has_no_value() -> None:
    silent = LOG.only(np.array([False, True, True, True, False, True]))
    keep = np.array([1, 2, 3, 5])
    new, old = (choosing(t.name, t.chances[keep].argmax(axis=1), arms=2) for t in (NEW, OLD))
    settings = LENIENT.model_copy(update={"least_customers": 1})
    found = difference(silent, new, old, settings=settings)
    assert isinstance(found, NotEvaluable)
    assert found.reason == "no row of the log speaks for 'new' where the two disagree"
