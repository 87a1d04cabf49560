"""How long the store keeps what, and letting go of what is older."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipelines.console import Step
from serving.store.retention import KINDS, Kind
from serving.store.store import Store

# The same request gets the same answer for so long at the least: callers rely on it.
REQUESTS_AT_LEAST = 30

Days = Annotated[int, Field(ge=30, le=36_500)]


class RetentionSettings(BaseModel):
    """Table `[retention]` of onje.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decisions_days: Days
    plans_days: Annotated[int, Field(ge=1, le=36_500)]
    exposures_days: Days
    requests_days: Annotated[int, Field(ge=REQUESTS_AT_LEAST, le=36_500)]
    dead_letters_days: Annotated[int, Field(ge=1, le=36_500)]

    @model_validator(mode="after")
    def _answers_go_first(self) -> Self:
        """An answer is found by the receipt of its decision alone when its customer is erased."""
        if self.requests_days > self.decisions_days:
            raise ValueError(
                f"requests_days is {self.requests_days} and decisions_days {self.decisions_days}: "
                "an answer cannot be kept for longer than its decision, by whose receipt it is "
                "found when its customer is erased; lower requests_days or raise decisions_days"
            )
        return self


@dataclass(frozen=True)
class Tidied:
    """How many rows of each kind went, or would go on a dry run."""

    decisions: int
    plans: int
    exposures: int
    requests: int
    dead_letters: int
    dry_run: bool


def tidy(
    store: Store, settings: RetentionSettings, *, now: datetime, dry_run: bool, step: Step
) -> Tidied:
    """Let go of what is older than `settings` say, a few rows a transaction.

    May run beside the service and be killed at any point; the next run goes on. What a decision
    that stays needs to be replayed stays: settings of then, events, the lake's versions, models.
    """
    until: dict[Kind, datetime] = {
        kind: now - timedelta(days=getattr(settings, f"{kind}_days")) for kind in KINDS
    }
    counts = store.count_older(until, now=now)
    if not dry_run:
        for kind, before in until.items():
            gone = 0
            while some := store.drop_older(kind, before, now=now):
                gone += some
                step(f"old {kind.replace('_', ' ')}", gone, max(gone, counts[kind]))
            counts[kind] = gone
    return Tidied(**counts, dry_run=dry_run)
