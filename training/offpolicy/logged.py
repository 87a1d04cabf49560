"""What a policy did, how likely it was to do so, what came of it; and what another would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.errors import DataError
from training.evaluate import Floats
from training.offpolicy.frame import check_frame
from training.offpolicy.refusal import refuse

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Value = TypeVar("Value", bound=np.generic)

# How far the chances of a row may be from 1 in sum: rounding, nothing else.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Logged:
    """The log of a policy that drew what it chose; a row is a decision.

    `customer` [rows] says whose the row is (any whole number; the rows of one customer are alike),
    `chosen` [rows] the number of the arm, `reward` [rows] what came of it (a yes or no, money),
    `propensity` [rows] the chance in (0, 1] with which that very arm was drawn, `possible`
    [rows, arms] which arms could have been drawn. DataError where this cannot be a log.
    """

    customer: Ints
    chosen: Ints
    reward: Floats
    propensity: Floats
    possible: Bools

    def __post_init__(self) -> None:
        rows, arms = self.possible.shape
        lengths = {len(self.customer), len(self.chosen), len(self.reward), len(self.propensity)}
        if lengths != {rows} or rows == 0:
            raise DataError(
                f"a log has one row per decision: found {sorted(lengths | {rows})} rows; "
                "give customer, chosen, reward, propensity and possible of the same decisions"
            )
        # Written so that NaN, which compares as false, is refused as well.
        refuse(
            ~((self.propensity > 0) & (self.propensity <= 1)),
            "a propensity lies above 0 and at most at 1",
            "log the chance with which the chosen arm was drawn, before it is drawn",
        )
        refuse(~np.isfinite(self.reward), "a reward is a number", "leave undecided rows out")
        refuse(
            (self.chosen < 0) | (self.chosen >= arms),
            f"a chosen arm is one of 0 to {arms - 1}",
            "number the arms as the columns of `possible`",
        )
        refuse(
            ~self.of_chosen(self.possible),
            "what was chosen was possible",
            "log the arms that could have been drawn, the drawn one among them",
        )
        refuse(
            (self.propensity >= 1) & (self.possible.sum(axis=1) > 1),
            "what was drawn with certainty was all that was possible",
            "log the chance with which the chosen arm was drawn, after exploration; where nothing "
            "was drawn, log the chosen arm alone as `possible`: nothing is known of the others",
        )

    @property
    def rows(self) -> int:
        """How many decisions the log holds."""
        return len(self.chosen)

    @property
    def arms(self) -> int:
        """Among how many arms it was drawn."""
        return int(self.possible.shape[1])

    def of_chosen(self, values: NDArray[Value]) -> NDArray[Value]:
        """Of `values` [rows, arms], those of the arm that was chosen [rows]."""
        picked: NDArray[Value] = values[np.arange(len(self.chosen)), self.chosen]
        return picked

    def fits(self, what: str, values: Floats) -> None:
        """ValueError where `values` are not [rows, arms] of this log."""
        if values.shape != self.possible.shape:
            raise ValueError(
                f"{what} are {values.shape} [rows, arms], this log is {self.possible.shape}; "
                "give them for the same decisions and arms"
            )

    def only(self, rows: Bools) -> Logged:
        """The log of some rows only."""
        return Logged(
            customer=self.customer[rows],
            chosen=self.chosen[rows],
            reward=self.reward[rows],
            propensity=self.propensity[rows],
            possible=self.possible[rows],
        )


@dataclass(frozen=True)
class Target:
    """A policy to be judged on a log: `chances` [rows, arms] of each arm, which sum to 1 in a row.

    A policy that draws nothing has a single 1 in each row, see `choosing`. It must not have learnt
    from the very rows that it is judged on: nothing here could tell luck from skill then.
    """

    name: str
    chances: Floats

    def __post_init__(self) -> None:
        sums = self.chances @ np.ones(self.chances.shape[1])
        refuse(
            (self.chances.min(axis=1) < 0) | ~(abs(sums - 1) <= ROUNDING),
            f"the chances of the policy {self.name!r} are not negative and sum to 1",
            "give the chance of every arm, waiting included",
        )

    def only(self, rows: Bools) -> Target:
        """The same policy on some rows only."""
        return Target(self.name, self.chances[rows])


def choosing(name: str, arm: Ints, *, arms: int) -> Target:
    """The policy that chooses `arm` [rows] and draws nothing; DataError where that is no arm."""
    refuse(
        (arm < 0) | (arm >= arms),
        f"the policy {name!r} chooses an arm of 0 to {arms - 1}",
        "number the arms as the columns of the log",
    )
    chances = np.zeros((len(arm), arms))
    chances[np.arange(len(arm)), arm] = 1.0
    return Target(name, chances)


def always(name: str, log: Logged, *, arm: int, otherwise: int) -> Target:
    """The policy that chooses `arm` where that is possible, and `otherwise` (to wait) elsewhere."""
    arms = np.where(log.possible[:, arm], arm, otherwise)
    return choosing(name, arms.astype(np.int64), arms=log.arms)


def read_log(frame: pl.DataFrame, *, arms: Sequence[str]) -> Logged:
    """A log from a frame with customer_id, arm, reward, propensity and possible (list of names).

    `arms` are the names of all arms, in the order of the numbers. DataError where the chances were
    not logged: without them nothing can be said of another policy, however long the log.
    """
    check_frame(frame, arms)
    numbers = {arm: number for number, arm in enumerate(arms)}
    can = frame.get_column("possible")
    return Logged(
        customer=frame.get_column("customer_id").rank("dense").cast(pl.Int64).to_numpy(),
        chosen=frame.get_column("arm").replace_strict(numbers, return_dtype=pl.Int64).to_numpy(),
        reward=frame.get_column("reward").cast(pl.Float64).to_numpy(),
        propensity=frame.get_column("propensity").cast(pl.Float64).to_numpy(),
        possible=np.stack([can.list.contains(arm).to_numpy() for arm in arms], axis=1),
    )
