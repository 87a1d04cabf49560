"""Rhythms average one, and an hour is worth exactly as much as the world says."""

import numpy as np
import pytest

from pipelines.simulator.rhythm import hour_factors, oracle_gain, rhythms

RHYTHM = rhythms(np.random.default_rng(1), 4_000)[None].astype(np.float32)
ENGAGEMENT = np.random.default_rng(2).gamma(0.3, 1 / 0.3, 4_000)


def test_all_hours_of_a_rhythm_average_one():
    assert RHYTHM.shape == (1, 4_000, 2, 24)
    assert np.allclose(RHYTHM.mean(axis=-1), 1, atol=1e-5)
    assert (RHYTHM > 0).all()


@pytest.mark.parametrize("gain", [0.05, 0.12, 0.25])
def test_own_hours_beat_everybodys_best_by_what_was_asked_for(gain):
    factors = hour_factors(RHYTHM, ENGAGEMENT, gain=gain)
    assert oracle_gain(factors[0], ENGAGEMENT) == pytest.approx(gain, abs=1e-4)
    assert np.allclose(factors.mean(axis=-1), 1, atol=1e-5)


def test_without_a_gain_all_hours_are_the_same():
    assert (hour_factors(RHYTHM, ENGAGEMENT, gain=0.0) == 1).all()


def test_a_gain_of_known_size():
    # Two people of equal weight, each twice as good at an hour of their own: 2 against 1.5.
    factor = np.ones((2, 2, 24))
    factor[0, :, 9] = factor[1, :, 15] = 2
    assert oracle_gain(factor, np.ones(2)) == pytest.approx(2 / 1.5 - 1)
    # At night nobody may be mailed, so nothing is gained there.
    factor[0, :, 3] = 9
    assert oracle_gain(factor, np.ones(2)) == pytest.approx(2 / 1.5 - 1)
