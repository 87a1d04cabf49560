"""Which policy may replace the one in force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.offpolicy.logs import STRICT
from training.gate import Verdict
from training.offpolicy.logged import Logged, Target, choosing
from training.policy_gate import judge_policies

ARMS = ("wait", "cart", "news")
# Each kind of customer has an e-mail that suits them, and mailing is better than not mailing.
CHANCES = np.array([[0.02, 0.10, 0.04], [0.02, 0.04, 0.10]])
ROWS = 12_000


def drawn(seed: int) -> tuple[Logged, np.ndarray]:
    """A log whose arms were drawn alike, and the kind of each row's customer (0 or 1)."""
    random = np.random.default_rng(seed)
    customer = random.integers(ROWS // 3, size=ROWS)
    kind, chosen = customer % 2, random.integers(3, size=ROWS)
    log = Logged(
        customer=customer,
        chosen=chosen,
        reward=(random.random(ROWS) < CHANCES[kind, chosen]).astype(np.float64),
        propensity=np.full(ROWS, 1 / 3),
        possible=np.ones((ROWS, 3), bool),
    )
    return log, kind


LOG, KIND = drawn(seed=1)
SUITING = choosing("suiting", 1 + KIND, arms=3)
CONTRARY = choosing("contrary", 2 - KIND, arms=3)
CART = choosing("cart", np.ones(ROWS, np.int64), arms=3)


def judged(
    challenger: Target, in_force: Target, log: Logged = LOG, least_ess: int = 1000
) -> Verdict:
    settings = STRICT.model_copy(update={"least_ess": least_ess})
    return judge_policies(log, challenger, in_force, arms=ARMS, otherwise=0, settings=settings)


def test_a_policy_that_is_better_than_all_is_promoted() -> None:
    verdict = judged(SUITING, CART)
    assert verdict.promote
    assert [reason.split(":")[0] for reason in verdict.reasons] == [
        "better than the policy in force, 'cart'",
        "better than 'wait for everybody'",
        "better than 'cart for everybody'",
        "better than 'news for everybody'",
    ]
    # Where the two disagree, half of the rows, it gains .06: .03 per decision.
    gain = float(verdict.reasons[0].split("gain per decision ")[1].split(" ")[0])
    assert gain == pytest.approx(0.03, abs=0.01)


def test_better_than_the_policy_in_force_is_not_enough() -> None:
    verdict = judged(CART, CONTRARY)
    assert not verdict.promote
    assert verdict.reasons[0].startswith("better than the policy in force, 'contrary'")
    assert verdict.reasons[2] == (
        "cannot be compared with 'cart for everybody': "
        "not evaluable: 'cart' and 'cart for everybody' do the same in every row"
    )


def test_better_than_every_fixed_arm_is_not_enough() -> None:
    nearly = SUITING.chances.argmax(axis=1)
    nearly[:30] = 0
    verdict = judged(choosing("nearly", nearly, arms=3), SUITING, least_ess=1)
    assert not verdict.promote
    assert not verdict.reasons[0].startswith("better")
    assert all(reason.startswith("better than") for reason in verdict.reasons[1:])


def test_a_worse_policy_is_called_worse() -> None:
    verdict = judged(CONTRARY, SUITING)
    assert not verdict.promote
    assert verdict.reasons[0].startswith("worse than the policy in force, 'suiting': gain per")


def test_what_the_log_cannot_tell_never_promotes() -> None:
    verdict = judged(SUITING, CART, least_ess=ROWS + 1)
    assert not verdict.promote
    assert all(reason.startswith("cannot be compared with") for reason in verdict.reasons)
    assert "12,001 are needed; log for longer, or explore more" in verdict.reasons[1]
    possible = LOG.possible.copy()
    possible[np.flatnonzero(LOG.chosen == 0)[0], 1:] = False
    beyond = judged(SUITING, CART, log=replace(LOG, possible=possible))
    assert not beyond.promote
    assert "'suiting' may choose what the log never could in 1 of 12,000" in beyond.reasons[0]


def test_an_arm_that_was_never_possible_is_no_opponent() -> None:
    without = LOG.chosen != 2
    log = LOG.only(without)
    possible = log.possible.copy()
    possible[:, 2] = False
    log = replace(log, propensity=np.full(log.rows, 0.5), possible=possible)
    cart, wait = (
        choosing(name, np.full(log.rows, arm), arms=3) for arm, name in ((1, "c"), (0, "w"))
    )
    assert len(judged(cart, wait, log=log).reasons) == 3


def test_copying_every_row_convinces_nobody() -> None:
    few = np.flatnonzero(LOG.customer < 100)
    log = LOG.only(np.isin(np.arange(ROWS), few))
    often = Logged(
        *(part.repeat(20) for part in (log.customer, log.chosen, log.reward, log.propensity)),
        possible=log.possible.repeat(20, axis=0),
    )
    targets = [Target(t.name, t.chances[few].repeat(20, axis=0)) for t in (SUITING, CART)]
    once = judged(
        SUITING.only(np.isin(np.arange(ROWS), few)), Target("cart", CART.chances[few]), log, 1
    )
    assert not once.promote
    assert judged(*targets, often, 1).reasons == once.reasons
