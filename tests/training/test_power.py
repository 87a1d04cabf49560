"""Sample sizes against published ones, and against the power that draws of coins have."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.power import Design, least_difference, more_needed, recipients_needed

EVEN = Design(treated_share=0.5, level=0.95, power=0.8)
HOLDOUT = Design(treated_share=0.95, level=0.95, power=0.8)


def test_sizes_are_those_of_the_manual_of_r() -> None:
    # ?power.prop.test: (p1=.50, p2=.75, power=.90) => n = 76.7, so 77 an arm.
    nine_in_ten = Design(treated_share=0.5, level=0.95, power=0.9)
    assert math.ceil(recipients_needed(0.5, 0.75, design=nine_in_ten) / 2) == 77
    # (n=50, p1=.5, power=.90) => p2 = 0.8026.
    assert least_difference(0.5, 100, design=nine_in_ten) == pytest.approx(0.3026, abs=5e-5)
    # (n=50, p1=.50, p2=.75) => power = 0.740.
    assert recipients_needed(0.5, 0.75, design=Design(0.5, 0.95, 0.740)) == 100


@pytest.mark.parametrize(
    ("click_rate", "lift", "per_arm"),
    [(0.03, 0.05, 203_000), (0.03, 0.10, 51_000), (0.01, 0.05, 622_000), (0.01, 0.10, 155_000)],
)
def test_clicks_need_as_many_as_is_known(click_rate: float, lift: float, per_arm: int) -> None:
    # These figures take the base rate's variance for both arms: a little less than the real one.
    needed = recipients_needed(click_rate, click_rate * (1 + lift), design=EVEN) / 2
    assert per_arm < needed < 1.06 * per_arm
    by_hand = 2 * (1.959964 + 0.841621) ** 2 * (1 - click_rate) / (click_rate * lift**2)
    assert by_hand == pytest.approx(per_arm, rel=0.01)


@pytest.mark.parametrize("design", [EVEN, HOLDOUT, Design(0.05, 0.9, 0.6)])
def test_what_is_needed_is_found_as_often_as_asked(design: Design) -> None:
    base, other = 0.10, 0.14
    needed = recipients_needed(base, other, design=design)
    treated = round(needed * design.treated_share)
    arms, rates = np.array([treated, needed - treated]), np.array([other, base])
    hits = np.random.default_rng(1).binomial(arms, rates, size=(20_000, 2))
    pooled = hits.sum(axis=1) / needed
    error = np.sqrt(pooled * (1 - pooled) * (1 / arms).sum())
    distance = np.abs(np.diff(hits / arms, axis=1)[:, 0]) / error
    quantile = {0.95: 1.959964, 0.9: 1.644854}[design.level]
    assert (distance > quantile).mean() == pytest.approx(design.power, abs=0.02)


def test_an_uneven_split_costs_recipients() -> None:
    assert recipients_needed(0.1, 0.11, design=HOLDOUT) > 4 * recipients_needed(
        0.1, 0.11, design=EVEN
    )
    # The holdout may be the first arm or the second one.
    mirrored = Design(treated_share=0.05, level=0.95, power=0.8)
    assert recipients_needed(0.1, 0.11, design=HOLDOUT) == recipients_needed(
        0.11, 0.1, design=mirrored
    )


def test_the_least_difference_is_what_its_recipients_find() -> None:
    for recipients in (2_000, 50_000, 1_000_000):
        rise = least_difference(0.03, recipients, design=HOLDOUT)
        assert rise is not None
        again = recipients_needed(0.03, 0.03 + rise, design=HOLDOUT)
        assert again == pytest.approx(recipients, abs=2)


def test_some_designs_find_nothing_at_all() -> None:
    assert least_difference(0.5, 20, design=HOLDOUT) is None


def test_a_sentence_says_how_many_more() -> None:
    assert more_needed(0.03, 0.0315, 96_000, design=EVEN) == (
        "needs 320,000 more recipients to tell 3.15 % from 3 % (level 95%, power 80%)"
    )
    enough = more_needed(0.03, 0.0315, 500_000, design=EVEN)
    assert enough.startswith("500,000 recipients are enough to tell 3.15 % from 3 %")
    assert more_needed(0.5, 0.75, 111, design=EVEN).startswith("needs 5 more")


@pytest.mark.parametrize(
    ("base", "other", "design", "said"),
    [
        (0.0, 0.1, (0.5, 0.95, 0.8), "base_rate is 0.0; it lies above 0 and below 1"),
        (0.1, 1.0, (0.5, 0.95, 0.8), "other_rate is 1.0; it lies above 0 and below 1"),
        (3.0, 3.1, (0.5, 0.95, 0.8), "base_rate is 3.0"),
        (0.1, 0.1, (0.5, 0.95, 0.8), "both rates are 0.1"),
        (0.1, 0.2, (1.0, 0.95, 0.8), "treated_share is 1.0; it lies above 0 and below 1"),
        (0.1, 0.2, (0.5, 0.05, 0.8), "level is 0.05; it lies above 0.5 and below 1"),
        (0.1, 0.2, (0.5, 0.95, 80.0), "power is 80.0; it lies above 0.5 and below 1"),
        (float("nan"), 0.2, (0.5, 0.95, 0.8), "base_rate is nan"),
    ],
)
def test_what_cannot_be_is_refused_with_the_range(
    base: float, other: float, design: tuple[float, float, float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        recipients_needed(base, other, design=Design(*design))


def test_an_arm_without_anybody_is_refused() -> None:
    with pytest.raises(ValueError, match="it takes 20 to fill both arms"):
        least_difference(0.1, 19, design=HOLDOUT)
