"""Real logs: Open Bandit, which has too little to say, and Hillstrom, whose arms were drawn."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tests.shared_data import shared_data
from tests.training.offpolicy.logs import STRICT, uniform
from tests.training.offpolicy.test_cross_fit import SMALL_TREES
from training.evaluable import NotEvaluable
from training.offpolicy.cross_fit import trees
from training.offpolicy.estimators import Estimate, ips, snips
from training.offpolicy.logged import Logged, Target, choosing
from training.policy_gate import judge_policies

ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
INPUTS = ("recency", "history", "mens", "womens", "newbie")


def open_bandit(campaign: str) -> tuple[Logged, Target]:
    """The log of Thompson sampling, and the policy that draws all items alike."""
    frame = pl.read_parquet(shared_data("open_bandit_small", f"bts_{campaign}.parquet"))
    items = pl.read_parquet(
        shared_data("open_bandit_small", f"item_context_bts_{campaign}.parquet")
    ).height
    log = Logged(
        customer=np.arange(frame.height),
        chosen=frame["item_id"].to_numpy(),
        reward=frame["click"].to_numpy().astype(np.float64),
        propensity=frame["propensity_score"].to_numpy(),
        possible=np.ones((frame.height, items), bool),
    )
    return log, Target("all items alike", uniform(frame.height, items))


@pytest.mark.parametrize(("campaign", "ess"), [("all", 340), ("men", 656), ("women", 2)])
def test_open_bandit_cannot_tell_what_the_uniform_policy_would_bring(
    campaign: str, ess: int
) -> None:
    log, target = open_bandit(campaign)
    for estimator in (ips, snips):
        found = estimator(log, target, settings=STRICT)
        assert isinstance(found, NotEvaluable)
        assert f"as {ess} rows of equal weight would, 1,000 are needed" in found.reason


@pytest.mark.parametrize(
    ("campaign", "evaluable"), [("all", True), ("men", True), ("women", False)]
)
def test_whoever_asks_for_less_still_does_not_get_the_women(campaign: str, evaluable: bool) -> None:
    settings = STRICT.model_copy(update={"least_ess": 2})
    found = ips(*open_bandit(campaign), settings=settings)
    assert isinstance(found, Estimate) == evaluable
    if isinstance(found, Estimate):
        assert found.low < {"all": 0.0038, "men": 0.0046}[campaign] < found.high
    else:
        assert found.reason.startswith("one customer carries 69% of the weight")


@pytest.fixture(scope="module")
def hillstrom() -> pl.DataFrame:
    return pl.read_parquet(shared_data("hillstrom", "hillstrom_half.parquet"))


def log_of(frame: pl.DataFrame, reward: str) -> Logged:
    numbers = {arm: number for number, arm in enumerate(ARMS)}
    return Logged(
        customer=frame["row"].cast(pl.Int64).to_numpy(),
        chosen=frame["segment"].replace_strict(numbers, return_dtype=pl.Int64).to_numpy(),
        reward=frame[reward].cast(pl.Float64).to_numpy(),
        propensity=np.full(frame.height, 1 / 3),
        possible=np.ones((frame.height, 3), bool),
    )


@pytest.mark.parametrize("reward", ["visit", "conversion", "spend"])
def test_the_values_of_fixed_arms_are_the_means_of_who_got_them(
    hillstrom: pl.DataFrame, reward: str
) -> None:
    log = log_of(hillstrom, reward)
    for number, arm in enumerate(ARMS):
        got = hillstrom.filter(pl.col("segment") == arm)[reward]
        target = choosing(arm, np.full(log.rows, number), arms=3)
        found = snips(log, target, settings=STRICT)
        assert isinstance(found, Estimate)
        assert found.estimate == pytest.approx(got.mean(), rel=1e-12)
        assert found.ess == pytest.approx(len(got))
        error = got.std() / np.sqrt(len(got))
        assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.01)


@pytest.mark.parametrize("reward", ["visit", "spend"])
def test_each_to_their_own_is_not_promoted_over_the_best_e_mail_for_everybody(
    hillstrom: pl.DataFrame, reward: str
) -> None:
    # Learnt per arm from one half of the customers, judged on the other.
    half = np.random.default_rng(1).random(hillstrom.height) < 0.5
    learning, judged = hillstrom.filter(half), hillstrom.filter(~half)
    inputs = judged.select(INPUTS).to_numpy().astype(np.float64)
    promised = []
    for arm in ARMS:
        theirs = learning.filter(pl.col("segment") == arm)
        predict = trees(SMALL_TREES)(
            theirs.select(INPUTS).to_numpy().astype(np.float64),
            theirs[reward].cast(pl.Float64).to_numpy(),
        )
        promised.append(predict(inputs))
    best = np.stack(promised, axis=1).argmax(axis=1)
    log = log_of(judged, reward)
    personal = choosing("each to their own", best, arms=3)
    nobody = choosing("nobody", np.zeros(log.rows, np.int64), arms=3)
    verdict = judge_policies(log, personal, nobody, arms=ARMS, otherwise=0, settings=STRICT)
    assert not verdict.promote
    # It is better than sending nothing, and than the weaker e-mail perhaps; not than the best.
    assert verdict.reasons[0].startswith("better than the policy in force, 'nobody': gain per")
    assert "better than 'Mens E-Mail for everybody'" in verdict.reasons[2]
    assert not verdict.reasons[2].startswith("better")
    # And yet its own model promises more than the best arm brings: the winner's curse.
    assert np.max(promised, axis=0).mean() > log.reward[log.chosen == 1].mean()


def test_the_best_e_mail_for_everybody_is_promoted_over_sending_nothing(
    hillstrom: pl.DataFrame,
) -> None:
    """Against itself it gains nothing, so a fixed arm is never promoted over the fixed arms."""
    log = log_of(hillstrom, "visit")
    mens = choosing("men's", np.ones(log.rows, np.int64), arms=3)
    nobody = choosing("nobody", np.zeros(log.rows, np.int64), arms=3)
    verdict = judge_policies(log, mens, nobody, arms=ARMS, otherwise=0, settings=STRICT)
    assert [reason.split(" ")[0] for reason in verdict.reasons] == [
        "better", "better", "cannot", "better"
    ]  # fmt: skip
    assert not verdict.promote
