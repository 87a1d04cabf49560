"""Which world, how large and by which seed: what makes two simulations the same."""

from __future__ import annotations

from dataclasses import dataclass

from features.errors import SettingsError
from pipelines.simulator.worlds import known_world

# From and to: 100,000 customers for a year are more than most machines hold in memory.
CUSTOMERS, WEEKS, SEEDS = (100, 100_000), (4, 104), (0, 2**31 - 1)


@dataclass(frozen=True)
class Size:
    """One simulated past."""

    world: str
    customers: int
    weeks: int
    seed: int

    def __str__(self) -> str:
        return f"{self.world} ({self.customers:,} customers, {self.weeks} weeks, seed {self.seed})"


def sized(world: str, *, customers: int | None, weeks: int | None, seed: int) -> Size:
    """That size, the world's own where nothing is said.

    SettingsError lists the known worlds, or says what numbers there can be.
    """
    settings = known_world(world)
    size = Size(
        world,
        settings.customers if customers is None else customers,
        settings.history_weeks if weeks is None else weeks,
        seed,
    )
    for option, given, (least, most) in (
        ("customers", size.customers, CUSTOMERS),
        ("weeks", size.weeks, WEEKS),
        ("seed", size.seed, SEEDS),
    ):
        if not least <= given <= most:
            raise SettingsError(
                f"--{option} is {given:,}; give a number from {least:,} to {most:,}"
            )
    return size
