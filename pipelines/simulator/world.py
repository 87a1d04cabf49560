"""A simulated shop before any mail: who is there, what is sold and what everybody does unasked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from features.errors import SettingsError
from pipelines.simulator.arrays import DAY, micros
from pipelines.simulator.clock import clock_of
from pipelines.simulator.life import Life, lived
from pipelines.simulator.population import EARLIER_DAYS, born, customers_of
from pipelines.simulator.response import Truth
from pipelines.simulator.rhythm import hour_factors
from pipelines.simulator.season import season_of
from pipelines.simulator.shelf import stocked
from pipelines.simulator.worlds import MOST_CUSTOMERS, MOST_WEEKS, WorldSettings

# A Monday; the history lies before it, the evaluation after it.
START = datetime(2026, 3, 2, tzinfo=UTC)
# The own life goes on for so long after the last week, so that late answers find their place.
AFTERWARDS_WEEKS = 4
# Beyond the own life: where chances within 14 days and late answers still need a clock.
MARGIN_DAYS = 40


@dataclass(frozen=True)
class World:
    """Frozen: any number of runs may begin in it."""

    settings: WorldSettings
    seed: int
    begins: datetime
    start: datetime
    ends: datetime  # of the evaluation
    customers: pl.DataFrame
    products: pl.DataFrame
    truth: Truth
    life: Life
    customer_names: pl.Enum
    product_names: pl.Enum

    @property
    def people(self) -> pl.DataFrame:
        """What dirt needs to know: customer_id, mpp, gateway."""
        population = self.truth.population
        return pl.DataFrame(
            {"customer_id": population.names, "mpp": population.mpp, "gateway": population.gateway}
        )


def create(
    settings: WorldSettings, *, customers: int, history_weeks: int, weeks: int, seed: int
) -> World:
    """A world with so many customers and weeks; everything in it comes from `seed`.

    SettingsError, with the range, where a number cannot be.
    """
    _in_range("customers", customers, 1, MOST_CUSTOMERS)
    _in_range("history weeks", history_weeks, 1, MOST_WEEKS)
    _in_range("weeks", weeks, 0, MOST_WEEKS)
    _in_range("seed", seed, 0, 2**63 - 1)
    begins, ends = START - timedelta(weeks=history_weeks), START + timedelta(weeks=weeks)
    lives_until = ends + timedelta(weeks=AFTERWARDS_WEEKS)
    earliest = begins - timedelta(days=EARLIER_DAYS + 2)
    latest = lives_until + timedelta(days=MARGIN_DAYS)
    shelf = stocked(micros(begins), seed=seed)
    population = born(
        settings, customers, shelf,
        begins=micros(begins), start=micros(START), ends=max(micros(ends), micros(START) + DAY),
        seed=seed,
    )  # fmt: skip
    clock = clock_of(earliest, latest)
    season = season_of(micros(earliest), micros(latest))
    life = lived(
        population, shelf, clock, season, settings,
        begins=micros(begins), ends=micros(lives_until), seed=seed,
    )  # fmt: skip
    hours = hour_factors(population.rhythm, population.engagement, gain=settings.hour_gain)
    return World(
        settings=settings,
        seed=seed,
        begins=begins,
        start=START,
        ends=ends,
        customers=customers_of(population, seed=seed),
        products=shelf.frame,
        truth=Truth(settings, population, shelf, clock, season, life.orders, hours),
        life=life,
        customer_names=pl.Enum(population.names),
        product_names=pl.Enum(shelf.frame.get_column("product_id")),
    )


def _in_range(name: str, given: int, least: int, most: int) -> None:
    if not least <= given <= most:
        raise SettingsError(
            f"a world cannot have {given} {name}; give a number from {least} to {most}"
            if name != "seed"
            else f"seed is {given}; give a number from {least} to {most}"
        )
