"""What is to be compared, in which world, for how long."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.errors import SettingsError
from pipelines.evaluation.names import POLICIES
from pipelines.simulator.worlds import known_world


class Plan(BaseModel):
    """One comparison; every run of it is named by (world, seed, policy) and can be resumed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    world: str
    customers: Annotated[int, Field(ge=100, le=100_000)]
    history_weeks: Annotated[int, Field(ge=8, le=104)]
    weeks: Annotated[int, Field(ge=1, le=104)]
    every_days: Annotated[int, Field(ge=1, le=7)]
    retrain_weeks: Annotated[int, Field(ge=1, le=104)]
    seeds: Annotated[tuple[int, ...], Field(min_length=1, max_length=100)]
    policies: Annotated[tuple[str, ...], Field(min_length=1)]

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
        what = self.model_dump(mode="json", exclude={"seeds", "policies"})
        rules = known_world(self.world).model_dump(mode="json")
        text = json.dumps([what, rules, settings, code], sort_keys=True)
        return f"{self.world}-{sha256(text.encode()).hexdigest()[:12]}"


# How large a comparison is if nobody says how large: so many, or all that the world has.
CUSTOMERS, HISTORY_WEEKS = 2_000, 26


def planned(
    *,
    world: str,
    customers: int | None,
    history_weeks: int | None,
    weeks: int,
    every_days: int,
    retrain_weeks: int,
    seeds: tuple[int, ...],
    policies: str,
) -> Plan:
    """The plan, with `policies` read from a list with commas; SettingsError names what is wrong."""
    rules = known_world(world)
    if customers is None:
        customers = min(CUSTOMERS, rules.customers)
    if history_weeks is None:
        history_weeks = min(HISTORY_WEEKS, rules.history_weeks)
    names = tuple(dict.fromkeys(name.strip() for name in policies.split(",") if name.strip()))
    unknown = [name for name in names if name not in POLICIES]
    if unknown:
        raise SettingsError(
            f"no policy is called {', '.join(unknown)}; there are {', '.join(POLICIES)}"
        )
    try:
        return Plan(
            world=world,
            customers=customers,
            history_weeks=history_weeks,
            weeks=weeks,
            every_days=every_days,
            retrain_weeks=retrain_weeks,
            seeds=seeds,
            policies=names,
        )
    except ValidationError as faults:
        lines = [
            f"--{str(fault['loc'][0]).replace('_', '-')}: {fault['msg']}; found {fault['input']}"
            for fault in faults.errors(include_url=False)
        ]
        raise SettingsError("\n".join(lines)) from None
