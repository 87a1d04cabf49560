"""What is to be compared, in which world, for how long."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from features.errors import SettingsError
from pipelines.evaluation.names import POLICIES
from pipelines.simulator.worlds import known_world

# From the least to the most that can be asked for.
RANGES = {
    "customers": (100, 100_000),
    "history_weeks": (8, 104),
    "weeks": (1, 104),
    "every_days": (1, 7),
    "retrain_weeks": (1, 104),
}
MOST_SEEDS, MOST_SEED = 100, 2**31 - 1
# How large a comparison is if nobody says how large: so many, or all that the world has.
CUSTOMERS, HISTORY_WEEKS = 2_000, 26


@dataclass(frozen=True)
class Plan:
    """One comparison; every run of it is named by (world, seed, policy) and can be resumed."""

    world: str
    customers: int
    history_weeks: int
    weeks: int
    every_days: int
    retrain_weeks: int
    seeds: tuple[int, ...]
    policies: tuple[str, ...]

    def moments(self, start: datetime) -> list[datetime]:
        """When is decided, if the comparison begins at `start`."""
        return [start + timedelta(days=day) for day in range(0, 7 * self.weeks, self.every_days)]

    def trains_anew(self, start: datetime, now: datetime) -> bool:
        """Whether models are trained at the moment `now`: the first after each so many weeks."""
        rounds, since = divmod(now - start, timedelta(weeks=self.retrain_weeks))
        return rounds > 0 and since < timedelta(days=self.every_days)

    def folder_name(self, *, settings: str, code: str) -> str:
        """A name that changes with whatever a run's result depends on.

        Seeds and policies are not among it: asked for later, they are added to what is there.
        """
        what = {name: figure for name, figure in asdict(self).items() if name in RANGES}
        rules = known_world(self.world).model_dump(mode="json")
        text = json.dumps([what, rules, settings, code], sort_keys=True)
        return f"{self.world}-{sha256(text.encode()).hexdigest()[:12]}"


def planned(
    *,
    world: str,
    customers: int | None,
    history_weeks: int | None,
    weeks: int,
    every_days: int,
    retrain_weeks: int,
    first_seed: int,
    seeds: int,
    policies: str,
) -> Plan:
    """The plan, with `policies` read from a list with commas; SettingsError names what is wrong."""
    rules = known_world(world)
    plan = Plan(
        world=world,
        customers=min(CUSTOMERS, rules.customers) if customers is None else customers,
        history_weeks=min(HISTORY_WEEKS, rules.history_weeks)
        if history_weeks is None
        else history_weeks,
        weeks=weeks,
        every_days=every_days,
        retrain_weeks=retrain_weeks,
        seeds=tuple(range(first_seed, first_seed + min(seeds, MOST_SEEDS + 1))),
        policies=tuple(dict.fromkeys(name.strip() for name in policies.split(",") if name.strip())),
    )
    faults = _faults(plan)
    if faults:
        raise SettingsError("\n".join(faults))
    return plan


def _faults(plan: Plan) -> list[str]:
    faults = []
    for name, (least, most) in RANGES.items():
        found = getattr(plan, name)
        if not least <= found <= most:
            option = name.replace("_", "-")
            faults.append(f"--{option} is {found}; give a number from {least} to {most:,}")
    if not 1 <= len(plan.seeds) <= MOST_SEEDS:
        faults.append(f"--seeds: give a number from 1 to {MOST_SEEDS}")
    elif plan.seeds[0] < 0 or plan.seeds[-1] > MOST_SEED:
        faults.append(
            f"seeds are {plan.seeds[0]} to {plan.seeds[-1]}; they lie between 0 and {MOST_SEED:,}"
        )
    unknown = [name for name in plan.policies if name not in POLICIES]
    if unknown:
        faults.append(f"no policy is called {', '.join(unknown)}; there are {', '.join(POLICIES)}")
    if not plan.policies:
        faults.append(f"--policies names none; there are {', '.join(POLICIES)}")
    return faults
