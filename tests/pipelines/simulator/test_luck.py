"""Luck belongs to the id: not to the batch, the order or the length of its neighbours."""

import numpy as np
import polars as pl

from pipelines.simulator.luck import luck

IDS = pl.Series([f"m{number}:open" for number in range(20_000)])


def test_it_is_uniform_and_each_purpose_and_seed_is_its_own():
    draws = [luck(IDS, "late", seed=1), luck(IDS, "copy", seed=1), luck(IDS, "late", seed=2)]
    for drawn in draws:
        assert drawn.min() >= 0 and drawn.max() < 1
        counts = np.histogram(drawn, bins=20, range=(0, 1))[0]
        assert ((counts - 1000) ** 2 / 1000).sum() < 43  # chi-squared, 19 degrees, p = .001
    together = np.corrcoef([*draws, np.roll(draws[0], 1)])
    assert np.abs(together - np.eye(4)).max() < 0.03


def test_it_does_not_depend_on_the_batch():
    drawn = luck(IDS, "late", seed=1)
    longer = pl.concat([pl.Series(["x" * 200]), IDS.reverse()])
    assert (luck(longer, "late", seed=1)[:0:-1] == drawn).all()


def test_it_is_the_same_on_every_machine_for_ever():
    drawn = luck(pl.Series(["m1:open", "", "a-rather-long-event-id"]), "late", seed=1)
    assert drawn.tolist() == [0.2069647872264, 0.9433784727444753, 0.03212464790102154]


def test_a_zero_at_the_end_is_part_of_an_id():
    assert len(set(luck(pl.Series(["a", "a\0", "a\0\0"]), "late", seed=1))) == 3


def test_nothing_draws_nothing():
    assert len(luck(pl.Series([], dtype=pl.String), "late", seed=1)) == 0
