"""What a merchant says of an experiment: whose mail, what differs, how customers are dealt."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from itertools import combinations
from typing import Annotated, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from serving.guardrail_settings import TRANSACTIONAL

Factor = Literal[
    "subject", "sender_name", "content", "image_share", "cta", "personal", "send_hour", "incentive"
]
# These two change what Onje itself decides; the others are for the sender's template.
SEND_HOUR = "send_hour"
INCENTIVE = "incentive"
EVERY_EMAIL = "*"
HOLDOUT = "holdout"  # is told among experiments, and always runs
USUAL = "usual"

Arm = Annotated[str, Field(min_length=1, max_length=64)]
# A share that rounds to nothing would divide by nothing where effects are weighed.
LEAST_SHARE = 0.01
TO_ONE = 1e-9


class ExperimentSettings(BaseModel):
    """Table `[experiments.NAME]` of onje.toml: one comparison of ways to write an e-mail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    email: Annotated[str, Field(min_length=1)]
    factor: Factor
    arms: Annotated[tuple[Arm, ...], Field(min_length=2, max_length=10)]
    split: Literal["fixed", "bandit"]
    shares: tuple[Annotated[float, Field(ge=LEAST_SHARE, lt=1, allow_inf_nan=False)], ...]
    metric: Literal["click", "order", "margin"]
    started_on: date
    ends_on: date
    outcome_days: Annotated[int, Field(ge=1, le=90)]
    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    seed: Annotated[int, Field(ge=0, lt=2**31)]

    @property
    def fixed_shares(self) -> dict[str, float]:
        """The share of each arm; for a bandit, until it has learnt something, all alike."""
        alike = (1 / len(self.arms),) * len(self.arms)
        return dict(zip(self.arms, self.shares or alike, strict=True))

    def runs_on(self, day: date) -> bool:
        """Days are those of UTC, the last one included, as all of chance has them."""
        return self.started_on <= day <= self.ends_on

    def hour_of(self, arm: str) -> int | None:
        """The only local hour of an arm of send_hour, None = the usual choice."""
        return None if arm == USUAL else int(arm)

    @model_validator(mode="after")
    def _arms_differ(self) -> Self:
        if len(set(self.arms)) < len(self.arms):
            raise ValueError(f"each arm once; found {', '.join(self.arms)}")
        return self

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.ends_on < self.started_on:
            raise ValueError(f"ends_on {self.ends_on} lies before started_on {self.started_on}")
        return self

    @model_validator(mode="after")
    def _shares_are_of_the_arms(self) -> Self:
        if self.split == "bandit":
            if self.shares:
                raise ValueError('a bandit finds its shares; write shares = [], or split = "fixed"')
            return self
        if len(self.shares) != len(self.arms):
            raise ValueError(
                f"{len(self.arms)} arms need {len(self.arms)} shares; found {len(self.shares)}"
            )
        if abs(math.fsum(self.shares) - 1) > TO_ONE:
            raise ValueError(f"shares add up to 1; these add up to {math.fsum(self.shares):g}")
        return self

    @model_validator(mode="after")
    def _arms_are_of_the_factor(self) -> Self:
        if self.factor == SEND_HOUR:
            for arm in self.arms:
                if arm != USUAL and not (arm.isascii() and arm.isdigit() and int(arm) < 24):
                    raise ValueError(
                        f'an arm of send_hour is "{USUAL}" or an hour from "0" to "23"; found {arm}'
                    )
        if self.factor == INCENTIVE:
            for arm in self.arms:
                if not _is_share(arm):
                    raise ValueError(
                        f'an arm of incentive is a share of the basket like "0.1"; found {arm}'
                    )
        return self


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) < 1
    except ValueError:
        return False


class HasClass(Protocol):
    @property
    def mail_class(self) -> str: ...


def refuse_clashes(
    experiments: Mapping[str, ExperimentSettings],
    *,
    emails: Mapping[str, HasClass],
    quiet_hours: tuple[int, ...],
) -> None:
    """ValueError where an experiment names what is not there, or two want the same at once."""
    if HOLDOUT in experiments:
        raise ValueError(
            f"[experiments.{HOLDOUT}] is what the customers without mail are called; "
            "choose another name"
        )
    for name, one in experiments.items():
        if one.email != EVERY_EMAIL and one.email not in emails:
            raise ValueError(
                f"[experiments.{name}] no e-mail is called {one.email}; "
                f'name some of {", ".join(emails)}, or "{EVERY_EMAIL}" for all'
            )
        if one.email in emails and emails[one.email].mail_class == TRANSACTIONAL:
            raise ValueError(
                f"[experiments.{name}] {one.email} is transactional: what is owed is in no "
                "experiment; name another e-mail"
            )
        hours = [one.hour_of(arm) for arm in one.arms] if one.factor == SEND_HOUR else []
        quiet = [str(hour) for hour in hours if hour in quiet_hours]
        if quiet:
            raise ValueError(
                f"[experiments.{name}] at {', '.join(quiet)} o'clock nothing leaves, for these are "
                "quiet hours of [policy]; choose other arms"
            )
    for (name, one), (other_name, other) in combinations(experiments.items(), 2):
        same_mail = one.email == other.email or EVERY_EMAIL in (one.email, other.email)
        at_once = one.started_on <= other.ends_on and other.started_on <= one.ends_on
        if same_mail and one.factor == other.factor and at_once:
            raise ValueError(
                f"[experiments.{name}] and [experiments.{other_name}] both set {one.factor} of the "
                "same e-mail in the same days; let one end before the other starts"
            )
