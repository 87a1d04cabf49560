"""What workflows say of their e-mails: which may go now, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from serving.settings import ServingSettings
from serving.tables import WORKFLOW
from serving.workflow_settings import WorkflowSettings
from serving.workflow_steps import RUNNING


@dataclass(frozen=True)
class Place:
    """Which step of which workflow an e-mail is; steps count from 1."""

    workflow: str
    step: int


def places_of(settings: ServingSettings) -> Mapping[str, Place]:
    """The place of each e-mail that is a step of a workflow."""
    return {
        email: Place(name, number)
        for name, workflow in settings.workflows.items()
        for number, step in enumerate(workflow.steps, start=1)
        for email in step.emails
    }


@dataclass(frozen=True)
class InWorkflow:
    """What an e-mail's workflow says of its arm; all expressions read what `steps_of` found.

    `gate` lets its own trigger send it. `is_due` sends it, whatever its trigger says; `reason` is
    that in words, null where it is not. `place` is a struct (see serving.tables), null where the
    e-mail is no step now.
    """

    gate: pl.Expr
    is_due: pl.Expr
    reason: pl.Expr
    place: pl.Expr


def in_workflow(email: str, settings: ServingSettings) -> InWorkflow:
    """The first step goes by its trigger while the workflow may begin. A later one goes when it is
    due, and by its trigger only while the workflow does not run.
    """
    place = _places(settings).get(email)
    if place is None:
        return _IN_NONE
    name, step = place.workflow, pl.lit(place.step, pl.UInt32)
    told = pl.struct(workflow=pl.lit(name), step=step, started_days=pl.lit(None, pl.Float64))
    if place.step == 1:
        return InWorkflow(pl.col(f"may_begin_{name}"), pl.lit(False), _NO_WORDS, told)
    is_due = (pl.col(f"due_{name}") == place.step).fill_null(False)
    told = pl.struct(workflow=pl.lit(name), step=step, started_days=f"started_days_{name}")
    return InWorkflow(
        gate=pl.col(f"state_{name}") != RUNNING,
        is_due=is_due,
        reason=pl.when(is_due).then(_words(place, settings.workflows[name])),
        place=pl.when(is_due).then(told),
    )


_NO_WORDS = pl.lit(None, pl.String)
_IN_NONE = InWorkflow(pl.lit(True), pl.lit(False), _NO_WORDS, pl.lit(None, WORKFLOW))


@lru_cache(maxsize=8)
def _places(settings: ServingSettings) -> Mapping[str, Place]:
    return places_of(settings)


def _words(place: Place, workflow: WorkflowSettings) -> pl.Expr:
    """ "step 2 of re_engagement: 7 days after win_back_1 without an answer"."""
    started = pl.col(f"started_days_{place.workflow}")
    days = started.floor().cast(pl.Int64)
    after = pl.format(
        "{} {} after {} without {}",
        days,
        pl.when(days == 1).then(pl.lit("day")).otherwise(pl.lit("days")),
        f"began_with_{place.workflow}",
        pl.lit(_answer(workflow)),
    )
    in_a_row = pl.format(
        "{} e-mails in a row without a click", pl.col("unclicked_streak").cast(pl.Int64)
    )
    is_early = started < workflow.steps[place.step - 1].after_days
    return pl.format(
        f"step {place.step} of {place.workflow}: {{}}",
        pl.when(is_early).then(in_a_row).otherwise(after),
    )


_ANSWERS: Mapping[str, str] = {
    "act": "an act of their own",
    "open": "an open",
    "click": "a click",
    "visit": "a visit",
    "cart": "a cart",
    "order": "an order",
    "redeem": "a coupon redeemed",
    "review": "a review",
    "survey": "a survey answered",
    "consent": "a word that they want our mail",
}


def _answer(workflow: WorkflowSettings) -> str:
    """What has not come: any answer, or the one thing that would end the workflow."""
    return _ANSWERS[workflow.ends_on[0]] if len(workflow.ends_on) == 1 else "an answer"
