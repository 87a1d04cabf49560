"""What a merchant says of a workflow: its steps, what ends it, and when silence is final."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from features.nearest import nearest_of
from serving.asked import condition

# What a person may do that ends a workflow, and the feature that tells since when they have not.
ENDS: Mapping[str, str] = {
    "act": "days_since_act",
    "open": "days_since_open",
    "click": "days_since_click",
    "visit": "days_since_visit",
    "cart": "days_since_cart",
    "order": "days_since_order",
    "redeem": "days_since_redeem",
    "review": "days_since_review",
    "survey": "days_since_survey",
    "consent": "days_since_yes",
}
# The trigger of an e-mail that nothing but its workflow sends.
WORKFLOW_STEP = "workflow_step"

Days = Annotated[float, Field(ge=0, le=3650, allow_inf_nan=False)]


class StepSettings(BaseModel):
    """One step: the e-mails of which one goes, once `after_days` have passed since step 1 was sent.

    `when` is a condition over the customer's features; a step for which it does not hold is left
    out. Without one the step is for everybody: the one key that may be absent, because a step
    stands on one line of TOML, and its absence says what it means.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    emails: Annotated[tuple[str, ...], Field(min_length=1)]
    after_days: Days
    when: str = ""


class WorkflowSettings(BaseModel):
    """Table `[workflows.NAME]` of onje.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    meaning: Annotated[str, Field(min_length=1)]
    steps: Annotated[tuple[StepSettings, ...], Field(min_length=2)]
    ends_on: Annotated[tuple[str, ...], Field(min_length=1)]
    unanswered: Annotated[int, Field(ge=0)]
    runs_days: Days
    again_days: Days
    sunset_days: Days

    @property
    def emails(self) -> tuple[str, ...]:
        """The e-mails of all steps, in their order."""
        return tuple(email for step in self.steps for email in step.emails)

    @field_validator("ends_on")
    @classmethod
    def _acts_are_known(cls, acts: tuple[str, ...]) -> tuple[str, ...]:
        for act in acts:
            if act not in ENDS:
                raise ValueError(f"nothing called {act} ends a workflow; {nearest_of(act, ENDS)}")
        return acts

    @model_validator(mode="after")
    def _first_step_is_the_start(self) -> Self:
        first = self.steps[0]
        if first.after_days or first.when:
            raise ValueError(
                "the first step has after_days = 0 and no `when`: it goes when the trigger of its "
                "e-mail says so, and the days of the others count from it"
            )
        return self

    @model_validator(mode="after")
    def _days_rise(self) -> Self:
        for number, (before, step) in enumerate(pairwise(self.steps), start=2):
            if step.after_days <= before.after_days:
                raise ValueError(
                    f"step {number} has after_days = {step.after_days:g}, step {number - 1} has "
                    f"{before.after_days:g}; all count from step 1, so each waits longer than the "
                    "one before"
                )
        return self

    @model_validator(mode="after")
    def _runs_until_its_last_step(self) -> Self:
        if self.runs_days <= self.steps[-1].after_days:
            raise ValueError(
                f"runs_days = {self.runs_days:g} leaves no time for the last step, after "
                f"{self.steps[-1].after_days:g} days"
            )
        return self

    @model_validator(mode="after")
    def _each_email_once(self) -> Self:
        twice = sorted({email for email in self.emails if self.emails.count(email) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands in it twice; each e-mail once")
        return self


class _Email(Protocol):
    @property
    def trigger(self) -> str: ...


def refuse_strangers(
    workflows: Mapping[str, WorkflowSettings],
    emails: Mapping[str, _Email],
    columns: Sequence[str],
) -> None:
    """ValueError where workflows and the catalogue of e-mails do not fit together.

    `columns` are what the conditions of steps may ask for.
    """
    owner: dict[str, str] = {}
    for name, workflow in workflows.items():
        for number, step in enumerate(workflow.steps, start=1):
            try:
                condition(step.when or "TRUE", columns)
            except ValueError as fault:
                raise ValueError(f"[workflows.{name}] step {number}: {fault}") from None
        for email in workflow.emails:
            if email not in emails:
                raise ValueError(
                    f"[workflows.{name}] no e-mail is called {email}; {nearest_of(email, emails)}"
                )
            if email in owner:
                raise ValueError(
                    f"[workflows.{name}] {email} is a step of {owner[email]} already; an e-mail "
                    "tells of one workflow where a customer stands, so give this one a copy of it "
                    "under another name"
                )
            owner[email] = name
        for email in workflow.steps[0].emails:
            if emails[email].trigger == WORKFLOW_STEP:
                raise ValueError(
                    f"[workflows.{name}] begins with {email}, which waits for a step before it; "
                    f"give it a trigger other than {WORKFLOW_STEP}"
                )
    for email, said in emails.items():
        if said.trigger == WORKFLOW_STEP and email not in owner:
            raise ValueError(
                f"[emails.{email}] has the trigger {WORKFLOW_STEP} and is a step of no workflow; "
                "name it in the steps of one, or give it another trigger"
            )
