"""Effects hold however often one looks; arms that do not fit their shares are found.

Everything here is synthetic: the truth is planted.
"""

from __future__ import annotations

import numpy as np
import pytest

from training.bandit import learnt_shares
from training.evaluable import NotEvaluable
from training.evaluate import Interval
from training.experiment import (
    Units,
    customers_missing,
    effect,
    effects_over_time,
    mismatch,
    results,
)
from training.settings import ComparisonSettings

HOW = ComparisonSettings(
    level=0.95, power=0.8, lift=0.1, tightest_at=5_000, answers_needed=25, mismatch_level=0.001,
    least_share=0.05,
)  # fmt: skip
HALVES = (0.5, 0.5)
# A look after every hundred customers.
LOOKS = np.arange(100, 20_001, 100)
REPLICATIONS = 400


def drawn(rng, count, shares, outcome_of) -> Units:
    arm = rng.choice(len(shares), count, p=shares)
    return Units(arm, outcome_of(arm), np.tile(shares, (count, 1)))


def ever_wrong(units: Units, truth: float) -> bool:
    """Whether some look at some arm found an interval that does not hold the truth."""
    arms = units.shares.shape[1]
    return any(
        not found.low <= truth <= found.high
        for place in range(1, arms)
        for _, found in effects_over_time(units, place, HOW, comparisons=arms - 1, looks=LOOKS)
    )


def clicks(rng, *rates):
    return lambda arm: (rng.random(len(arm)) < np.array(rates)[arm]).astype(float)


def money(rng, share):
    return lambda arm: (rng.random(len(arm)) < share) * rng.lognormal(2, 1, len(arm))


@pytest.mark.parametrize(
    ("shares", "outcome_of", "truth"),
    [
        (HALVES, lambda rng: clicks(rng, 0.03, 0.03), 0.0),
        (HALVES, lambda rng: clicks(rng, 0.03, 0.05), 0.02),
        ((0.9, 0.1), lambda rng: clicks(rng, 0.03, 0.03), 0.0),
        ((0.34, 0.33, 0.33), lambda rng: clicks(rng, 0.1, 0.1, 0.1), 0.0),
        ((0.8, 0.2), lambda rng: money(rng, 0.1), 0.0),
    ],
)
def test_who_looks_two_hundred_times_is_hardly_ever_fooled(shares, outcome_of, truth):
    rng = np.random.default_rng(7)
    wrong = sum(
        ever_wrong(drawn(rng, 20_000, shares, outcome_of(rng)), truth) for _ in range(REPLICATIONS)
    )
    # 5 % are allowed; a test of each look alone would be fooled in a third or more.
    assert wrong / REPLICATIONS <= 0.05


def test_an_interval_for_one_look_would_be_fooled():
    """The test above can fail: 1.96 standard errors at each of its looks do."""
    rng = np.random.default_rng(7)
    fooled = 0
    for _ in range(100):
        units = drawn(rng, 20_000, HALVES, clicks(rng, 0.03, 0.03))
        here = units.arm == 1
        counts = np.cumsum(here)[LOOKS - 1], np.cumsum(~here)[LOOKS - 1]
        sums = (
            np.cumsum(here * units.outcome)[LOOKS - 1],
            np.cumsum(~here * units.outcome)[LOOKS - 1],
        )
        one, other = (total / count for total, count in zip(sums, counts, strict=True))
        error = np.sqrt(one * (1 - one) / counts[0] + other * (1 - other) / counts[1])
        fooled += bool((np.abs(one - other) > 1.96 * error)[10:].any())
    assert fooled > 20


def test_shares_that_follow_what_was_seen_fool_nobody_even_while_times_change():
    """A bandit deals more to who seems better, and its customers come at better times."""
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(REPLICATIONS):
        arms, answers, dealt, shares = [], [], [], np.array(HALVES)
        for night in range(20):
            rate = 0.05 * (1 + 0.8 * np.sin(night / 3))
            arm = (rng.random(1_000) < shares[1]).astype(np.int64)
            arms.append(arm)
            answers.append((rng.random(1_000) < rate).astype(float))
            dealt.append(np.tile(shares, (1_000, 1)))
            seen = [np.concatenate(answers)[np.concatenate(arms) == place] for place in (0, 1)]
            ahead = seen[1].mean() > seen[0].mean()
            shares = np.array([0.1, 0.9] if ahead else [0.9, 0.1])
        units = Units(np.concatenate(arms), np.concatenate(answers), np.concatenate(dealt))
        wrong += ever_wrong(units, 0.0)
    assert wrong / REPLICATIONS <= 0.05


def test_a_difference_that_is_there_is_found():
    rng = np.random.default_rng(1)
    units = drawn(rng, 20_000, HALVES, clicks(rng, 0.03, 0.06))
    found = effect(units, 1, HOW, comparisons=1)
    assert isinstance(found, Interval) and 0 < found.low < 0.03 < found.high
    # More arms to compare ask for more.
    wider = effect(units, 1, HOW, comparisons=3)
    assert wider.low < found.low and wider.high > found.high


def test_the_table_of_arms_counts_customers_and_answers():
    units = Units(np.array([0, 0, 1, 1, 1]), np.array([0.0, 1, 1, 1, 0]), np.tile(HALVES, (5, 1)))
    first, second = results(units, ["plain", "question"], HOW)
    assert (first.arm, first.customers, first.answered, first.mean) == ("plain", 2, 1, 0.5)
    assert (second.customers, second.answered, second.mean) == (3, 2, pytest.approx(2 / 3))
    assert first.effect is None
    assert isinstance(second.effect, NotEvaluable)
    assert "1 of 2 and 2 of 3 customers answered; 25" in second.effect.reason


def test_nobody_is_no_result():
    none = Units(np.array([], np.int64), np.array([]), np.empty((0, 2)))
    first, second = results(none, ["a", "b"], HOW)
    assert (first.customers, first.mean) == (0, None)
    assert isinstance(second.effect, NotEvaluable)
    assert mismatch(none, HOW) is None
    assert customers_missing(none, 2, "click", HOW) is None


def test_a_planted_mismatch_rings():
    rng = np.random.default_rng(5)
    dealt = rng.choice(2, 8_000, p=[0.55, 0.45])
    wrong = Units(dealt, np.zeros(8_000), np.tile(HALVES, (8_000, 1)))
    told = mismatch(wrong, HOW)
    assert told is not None and "for 4,000" in told
    # A bandit's shares may be anything, as long as customers are dealt by them.
    by_shares = Units(dealt, np.zeros(8_000), np.tile([0.55, 0.45], (8_000, 1)))
    assert mismatch(by_shares, HOW) is None


def test_arms_that_are_dealt_as_said_hardly_ever_ring():
    rng = np.random.default_rng(6)
    rings = 0
    for _ in range(300):
        units = drawn(rng, 4_000, (0.7, 0.3), lambda arm: np.zeros(len(arm)))
        rings += any(mismatch(units.until(count), HOW) for count in range(100, 4_001, 300))
    assert rings <= 2  # 0.3 are expected at most


def test_a_mismatch_is_found_across_the_nights_of_a_bandit():
    rng = np.random.default_rng(8)
    shares = np.concatenate([np.tile([s, 1 - s], (800, 1)) for s in (0.5, 0.4, 0.3, 0.2)])
    fair = (rng.random(3_200) > shares[:, 0]).astype(np.int64)
    assert mismatch(Units(fair, np.zeros(3_200), shares), HOW) is None
    lost = rng.random(3_200) < np.where(fair == 1, 0.25, 0.0)  # a quarter of one arm is not counted
    some = Units(fair[~lost], np.zeros((~lost).sum()), shares[~lost])
    assert mismatch(some, HOW) is not None


def test_so_many_more_are_needed():
    rng = np.random.default_rng(9)
    units = drawn(rng, 10_000, HALVES, clicks(rng, 0.03, 0.03))
    missing = customers_missing(units, 2, "click", HOW)
    assert missing is not None and 60_000 < missing < 150_000  # about 106,000 in all
    coarse = HOW.model_copy(update={"lift": 1.0})
    assert customers_missing(units, 2, "click", coarse) == 0
    of_money = drawn(rng, 10_000, HALVES, money(rng, 0.3))
    assert 0 < customers_missing(of_money, 2, "margin", HOW) < 100_000


def test_a_bandit_gives_more_to_the_better_arm_and_never_less_than_its_least():
    rng = np.random.default_rng(2)
    units = drawn(rng, 6_000, (0.4, 0.3, 0.3), clicks(rng, 0.03, 0.03, 0.08))
    shares = learnt_shares(units, ["a", "b", "c"], 0.05)
    assert shares["c"] == pytest.approx(0.9) and min(shares.values()) >= 0.05
    assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
    alike = learnt_shares(units.until(0), ["a", "b", "c"], 0.05)
    assert list(alike.values()) == pytest.approx([1 / 3] * 3, abs=1e-3)


def test_the_share_of_an_arm_is_its_chance_to_be_the_best():
    # Beta(11, 91) against Beta(16, 86), by a million draws.
    arm = np.repeat([0, 1], 100)
    answers = np.concatenate([np.arange(100) < 10, np.arange(100) < 15]).astype(float)
    units = Units(arm, answers, np.tile(HALVES, (200, 1)))
    rng = np.random.default_rng(4)
    draws = rng.beta(11, 91, 1_000_000) < rng.beta(16, 86, 1_000_000)
    shares = learnt_shares(units, ["a", "b"], 0.01)
    assert shares["b"] == pytest.approx(0.01 + 0.98 * draws.mean(), abs=2e-3)


def test_money_is_learnt_from_as_well():
    rng = np.random.default_rng(2)
    units = drawn(rng, 4_000, HALVES, lambda arm: rng.lognormal(1, 1, len(arm)) * (1 + arm))
    assert learnt_shares(units, ["a", "b"], 0.05)["b"] > 0.9
