"""What cannot be read as a log, or does not fit one, is told in a sentence."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from features.errors import DataError
from tests.training.offpolicy.logs import LENIENT
from tests.training.offpolicy.test_estimators import LOG, ONE, PREDICTED
from tests.training.offpolicy.test_logged import ARMS, FRAME
from training.offpolicy.differences import difference, dr_difference
from training.offpolicy.estimators import dr, ips, snips, switch_dr
from training.offpolicy.logged import choosing, read_log

TEXTS = pl.List(pl.String)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pl.Series("possible", [["wait", "cart"], None, ARMS], TEXTS), r"possible, .*\(rows 1\)"),
        (pl.Series("possible", [None] * 3), "what was possible, but not in 3 of 3"),
        (pl.Series("possible", ["wait"] * 3), "list of names of arms, but in this log it is Str"),
        (pl.Series("possible", [[1], [2], [3]]), r"but in this log it is List\(Int64\)"),
        (
            pl.Series("possible", [["wait", "cart", "Z"], ["wait"], ARMS], TEXTS),
            "names `possible` arms that are not known: Z; known are wait, cart, welcome",
        ),
        (pl.Series("propensity", ["a third"] * 3), "propensity is a number, but .* it is String"),
        (pl.Series("reward", ["yes"] * 3), "reward is a number, but in this log it is String"),
        (pl.Series("customer_id", ["ann", None, "bob"]), r"about a customer, .*\(rows 1\); log"),
        (pl.Series("arm", ["cart", None, "wait"]), "names arms that are not known: None"),
        (pl.Series("possible", [["cart"], [], ["wait"]], TEXTS), r"was possible, .* \(rows 1\)"),
    ],
)
def test_what_cannot_be_read_is_told(column: pl.Series, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_log(FRAME.with_columns(column), arms=ARMS)


def test_a_yes_or_no_is_a_reward() -> None:
    log = read_log(FRAME.with_columns(pl.col("reward") > 0), arms=ARMS)
    assert log.reward.tolist() == [1, 0, 0]


def test_an_arm_has_one_number() -> None:
    with pytest.raises(ValueError, match="one number, but cart is named twice"):
        read_log(FRAME, arms=(*ARMS, "cart"))


@pytest.mark.parametrize("arm", [-1, 2, 7])
def test_a_policy_chooses_among_the_arms(arm: int) -> None:
    with pytest.raises(DataError, match=r"'odd' chooses an arm of 0 to 1, .* 1 of 3 rows \(rows 2"):
        choosing("odd", np.array([0, 1, arm]), arms=2)


@pytest.mark.parametrize(("rows", "arms"), [(3, 2), (4, 3)])
def test_a_policy_is_of_the_same_rows_and_arms(rows: int, arms: int) -> None:
    odd = choosing("odd", np.ones(rows, np.int64), arms=arms)
    message = rf"the chances of 'odd' are \({rows}, {arms}\) \[rows, arms\], this log is \(4, 2\)"
    for asked in (
        lambda: ips(LOG, odd, settings=LENIENT),
        lambda: snips(LOG, odd, settings=LENIENT),
        lambda: dr(LOG, odd, PREDICTED, settings=LENIENT),
        lambda: difference(LOG, ONE, odd, settings=LENIENT),
    ):
        with pytest.raises(ValueError, match=message):
            asked()


@pytest.mark.parametrize("nothing", [np.nan, np.inf])
def test_predictions_are_numbers_of_the_same_rows_and_arms(nothing: float) -> None:
    unknown = PREDICTED.copy()
    unknown[2, 0] = nothing
    zero = choosing("zero", np.zeros(4, np.int64), arms=2)
    for predicted, error, message in (
        (unknown, DataError, r"a predicted reward is a number, but not in 1 of 4 rows \(rows 2\)"),
        (PREDICTED[:, :1], ValueError, r"predicted rewards are \(4, 1\) \[rows, arms\]"),
    ):
        for asked in (
            lambda: dr(LOG, ONE, predicted, settings=LENIENT),  # noqa: B023
            lambda: switch_dr(LOG, ONE, predicted, threshold=1, settings=LENIENT),  # noqa: B023
            lambda: dr_difference(LOG, ONE, zero, predicted, settings=LENIENT),  # noqa: B023
        ):
            with pytest.raises(error, match=message):
                asked()
