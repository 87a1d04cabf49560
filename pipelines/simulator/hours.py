"""Times of a day drawn so that they fit a customer's rhythm by the customer's own clock."""

from __future__ import annotations

import numpy as np

from pipelines.simulator.arrays import DAY, HOUR, Ints
from pipelines.simulator.clock import Clock
from pipelines.simulator.population import Population

# So many rows are 24 times as many hours at once.
BLOCK = 100_000


def hours_drawn(
    random: np.random.Generator, population: Population, clock: Clock, customer: Ints, at: Ints
) -> Ints:
    """The same UTC days, each at an hour that fits the customer's rhythm by the local clock."""
    blocks = [slice(start, start + BLOCK) for start in range(0, len(at), BLOCK)]
    drawn = [_hours_drawn(random, population, clock, customer[b], at[b]) for b in blocks]
    return np.concatenate([np.empty(0, dtype=np.int64), *drawn])


def _hours_drawn(
    random: np.random.Generator, population: Population, clock: Clock, customer: Ints, at: Ints
) -> Ints:
    start = at // DAY * DAY
    starts = (start[:, None] + np.arange(24) * HOUR).ravel()
    everyone = np.repeat(customer, 24)
    zone = population.zone[everyone]
    weight = population.rhythm[
        population.era(starts), everyone, clock.is_weekend(zone, starts), clock.hour(zone, starts)
    ].reshape(-1, 24)
    bounds = np.cumsum(weight, axis=1)
    dice = random.random((2, len(at)))
    hour = (bounds[:, :-1] < (dice[0] * bounds[:, -1])[:, None]).sum(axis=1)
    time: Ints = start + hour * HOUR + (dice[1] * HOUR).astype(np.int64)
    return time
