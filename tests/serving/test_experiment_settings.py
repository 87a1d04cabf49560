"""An experiment that cannot be is refused, with what to write instead."""

from datetime import date

import pytest
from pydantic import ValidationError

from tests.serving.shop import shop
from tests.spec.experiments.dealing import experiment, shop_with


@pytest.mark.parametrize(
    ("differs", "message"),
    [
        ({"arms": ("a",), "shares": (1,)}, "at least 2"),
        ({"arms": ("a", "a", "b")}, "each arm once"),
        ({"shares": (0.5, 0.5)}, "3 arms need 3 shares; found 2"),
        ({"shares": (0.5, 0.3, 0.3)}, "add up to 1; these add up to 1.1"),
        ({"shares": (0.999, 0.0005, 0.0005)}, "greater than or equal to 0.01"),
        ({"split": "bandit"}, "shares = []"),
        ({"split": "sometimes"}, "'fixed' or 'bandit'"),
        ({"factor": "font"}, "'subject'"),
        ({"metric": "open"}, "'click', 'order' or 'margin'"),
        ({"ends_on": date(2026, 2, 28)}, "ends_on 2026-02-28 lies before started_on 2026-03-01"),
        ({"share": 0}, "greater than 0"),
        ({"factor": "send_hour", "arms": ("usual", "24", "9")}, 'from "0" to "23"; found 24'),
        ({"factor": "send_hour", "arms": ("usual", "-1", "9")}, "found -1"),
        ({"factor": "incentive", "arms": ("0", "10 %", "0.2")}, 'like "0.1"; found 10 %'),
        ({"factor": "incentive", "arms": ("0", "nan", "0.2")}, "found nan"),
        ({"factor": "incentive", "arms": ("0", "1", "0.2")}, "found 1"),
        ({"unheard_of": 1}, "not permitted"),
    ],
)
def test_what_cannot_be_is_refused(differs, message):
    with pytest.raises(ValidationError) as refused:
        experiment(**differs)
    assert message in str(refused.value)


def test_an_experiment_names_an_email_of_the_catalogue():
    with pytest.raises(ValidationError, match="no e-mail is called card_reminder; name some of"):
        shop_with(test=experiment(email="card_reminder"))


def test_no_experiment_is_called_as_those_without_mail_are():
    with pytest.raises(ValidationError, match="choose another name"):
        shop_with(holdout=experiment())


def test_what_is_owed_is_in_no_experiment():
    owed = {"cart_reminder": {"mail_class": "transactional"}}
    with pytest.raises(ValidationError, match="cart_reminder is transactional"):
        shop({}, owed, experiments={"test": experiment()})
    assert shop({}, owed, experiments={"test": experiment(email="*")}).experiments


def test_no_arm_lies_in_the_quiet_hours():
    hours = experiment(factor="send_hour", arms=("usual", "19", "22"))
    with pytest.raises(ValidationError, match="at 22 o'clock nothing leaves"):
        shop_with(test=hours)
    shop_with({"quiet_from_hour": 23}, test=hours)


def test_two_experiments_do_not_want_the_same_at_once():
    first = experiment()
    for other in (experiment(), experiment(email="*"), experiment(ends_on=date(2027, 1, 1))):
        with pytest.raises(ValidationError, match=r"\[experiments.a\] and \[experiments.b\]"):
            shop_with(a=first, b=other)
    later = {"started_on": date(2026, 4, 1), "ends_on": date(2026, 4, 2)}
    for other in (
        experiment(**later), experiment(email="welcome"), experiment(factor="cta")
    ):  # fmt: skip
        assert len(shop_with(a=first, b=other).experiments) == 2


def test_another_experiment_is_another_policy():
    versions = {
        shop_with(**tests).policy_version
        for tests in ({}, {"a": experiment()}, {"a": experiment(seed=2)}, {"b": experiment()})
    }
    assert len(versions) == 4
