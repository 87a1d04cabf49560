"""Where customers stand in workflows: derived from what they were sent and did, never stored.

A workflow begins when an e-mail of its first step is sent. It ends with whatever its `ends_on`
names, once a person does it after that; with its last step; or after `runs_days`. While it runs,
the step that is due is the latest one whose days have passed, if neither it nor a later one was
sent or promised since the start: what was missed is left out, what could not go stays due.

After the last step, `sunset_days` without any act of their own close the address to marketing,
until they do something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from serving.asked import condition
from serving.segment_settings import columns_asked
from serving.settings import ServingSettings
from serving.tables import KEY, WORKFLOW
from serving.workflow_settings import ENDS, WorkflowSettings

# Any act of their own, or their word that they want our mail: what ends a sunset.
_SIGNS_OF_LIFE = ("act", "consent")

# What the guardrail of the sunset reads of a customer.
OF_SUNSET = ("sunset", "sunset_by", "sunset_email", "sunset_days")

NOT_BEGUN, RUNNING, ENDED, DONE, LAPSED = "not_begun", "running", "ended", "done", "lapsed"


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


def steps_of(
    people: pl.DataFrame, contacts: pl.DataFrame, promised: pl.DataFrame, settings: ServingSettings
) -> pl.DataFrame:
    """One row per row of `people`, in its order: KEY, and where they stand in each workflow.

    `people` holds the features, `contacts` when each e-mail was last sent (features.contacts),
    `promised` KEY and email of mails that are promised and not sent yet. For each workflow:

    - `state_<workflow>`: not_begun, running, ended (by them), done (all steps sent) or lapsed
    - `started_days_<workflow>` since step 1 was sent, and `began_with_<workflow>`, which e-mail
    - `at_step_<workflow>`: the last step sent since then; `due_<workflow>`: the one that is due now
    - `ended_by_<workflow>`: what they did; `may_begin_<workflow>`: whether step 1 may go

    For all together `sunset` (no more marketing), and by which e-mail of which workflow how many
    days ago: `sunset_by`, `sunset_email`, `sunset_days`. All but these are null where unknown.
    """
    emails = [email for workflow in settings.workflows.values() for email in workflow.emails]
    if not emails:
        return people.select(*KEY, *_no_sunset())
    known = people.lazy()
    for frame, columns in (
        (contacts, [_sent(email) for email in emails]),
        (promised, [_waits(email) for email in emails]),
    ):
        of_workflows = frame.lazy().filter(pl.col("email").is_in(emails))
        wide = of_workflows.group_by(KEY).agg(columns)
        known = known.join(wide, on=KEY, how="left", maintain_order="left")
    for stage in _stages(settings):
        known = known.with_columns(stage)
    return known.select(*KEY, *_told(settings)).collect(engine="in-memory")


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


def _sent(email: str) -> pl.Expr:
    return pl.col("days_since_same").filter(pl.col("email") == email).min().alias(f"sent {email}")


def _waits(email: str) -> pl.Expr:
    return (pl.col("email") == email).any().alias(f"waits {email}")


@lru_cache(maxsize=8)
def _stages(settings: ServingSettings) -> list[list[pl.Expr]]:
    """Columns to add one batch after the other; kept, for writing them out takes longer."""
    columns = columns_asked(settings.segments)
    each = [
        list(_stages_of(name, workflow, columns)) for name, workflow in settings.workflows.items()
    ]
    together = [[expr for stage in stages for expr in stage] for stages in zip(*each, strict=True)]
    return [*together, _sunset(settings)]


def _stages_of(
    name: str, workflow: WorkflowSettings, columns: Sequence[str]
) -> Iterator[list[pl.Expr]]:
    first, *later = workflow.steps
    last = len(workflow.steps)
    started, at_step = pl.col(f"started_days_{name}"), pl.col(f"at_step_{name}")
    begins = [pl.col(f"sent {email}") for email in first.emails]
    yield [pl.min_horizontal(begins).alias(f"started_days_{name}")]

    def newest(step: int) -> pl.Expr:
        """Days since the step was sent, null where it was not since the start."""
        sent = pl.min_horizontal(f"sent {email}" for email in workflow.steps[step - 1].emails)
        return pl.when(sent <= started).then(sent)

    answers = [pl.when(pl.col(ENDS[act]) < started).then(pl.lit(act)) for act in workflow.ends_on]
    yield [
        pl.coalesce(
            pl.when(sent == started).then(pl.lit(email))
            for sent, email in zip(begins, first.emails, strict=True)
        ).alias(f"began_with_{name}"),
        pl.coalesce(answers).alias(f"ended_by_{name}"),
        pl.max_horizontal(
            pl.when(newest(step).is_not_null()).then(pl.lit(step, pl.UInt32))
            for step in range(1, last + 1)
        ).alias(f"at_step_{name}"),
        newest(last).alias(f"last step {name}"),
    ]
    yield [
        pl.when(started.is_null())
        .then(pl.lit(NOT_BEGUN))
        .when(pl.col(f"ended_by_{name}").is_not_null())
        .then(pl.lit(ENDED))
        .when(at_step == last)
        .then(pl.lit(DONE))
        .when(started > workflow.runs_days)
        .then(pl.lit(LAPSED))
        .otherwise(pl.lit(RUNNING))
        .alias(f"state_{name}")
    ]
    is_running = pl.col(f"state_{name}") == RUNNING

    def waits(step: int) -> pl.Expr:
        emails = workflow.steps[step - 1].emails
        return pl.any_horizontal(pl.col(f"waits {email}").fill_null(False) for email in emails)

    taken = pl.max_horizontal(
        at_step,
        *(
            pl.when(waits(step)).then(pl.lit(step, pl.UInt32)).otherwise(pl.lit(0, pl.UInt32))
            for step in range(2, last + 1)
        ),
    )
    due = []
    for number, step in reversed(list(enumerate(later, start=2))):
        passed = started >= step.after_days
        if number == last and workflow.unanswered:
            passed = passed | (pl.col("unclicked_streak") >= workflow.unanswered)
        if step.when:
            passed = passed & condition(step.when, columns)
        due.append(pl.when(passed & (taken < number)).then(pl.lit(number, pl.UInt32)))
    may_begin = ~is_running & (started.is_null() | (started >= workflow.again_days))
    if len(first.emails) > 1:
        # Whichever of them goes is the start; the others must not go beside it.
        may_begin = may_begin & ~waits(1)
    yield [
        # A later step that does not wait hides the ones before it, also once it was sent.
        pl.when(is_running).then(pl.coalesce(due)).alias(f"due_{name}"),
        may_begin.alias(f"may_begin_{name}"),
    ]


def _sunset(settings: ServingSettings) -> list[pl.Expr]:
    """The first workflow that has closed an address is the one that is named."""
    closed, by, email, days = [], [], [], []
    for name, workflow in settings.workflows.items():
        if not workflow.sunset_days:
            continue
        silent = pl.col(f"last step {name}")
        signs = {ENDS[act] for act in (*_SIGNS_OF_LIFE, *workflow.ends_on)}
        is_alive = pl.any_horizontal(
            (pl.col(sign) < silent).fill_null(False) for sign in sorted(signs)
        )
        shut = (
            (silent >= workflow.sunset_days).fill_null(False)
            & pl.col(f"ended_by_{name}").is_null()
            & ~is_alive
        )
        closed.append(shut)
        by.append(pl.when(shut).then(pl.lit(name)))
        days.append(pl.when(shut).then(silent))
        email += [
            pl.when(shut & (pl.col(f"sent {last}") == silent)).then(pl.lit(last))
            for last in workflow.steps[-1].emails
        ]
    if not closed:
        return _no_sunset()
    return [
        pl.any_horizontal(closed).alias("sunset"),
        pl.coalesce(by).alias("sunset_by"),
        pl.coalesce(email).alias("sunset_email"),
        pl.coalesce(days).alias("sunset_days"),
    ]


def _no_sunset() -> list[pl.Expr]:
    return [
        pl.lit(False).alias("sunset"),
        pl.lit(None, pl.String).alias("sunset_by"),
        pl.lit(None, pl.String).alias("sunset_email"),
        pl.lit(None, pl.Float64).alias("sunset_days"),
    ]


def _told(settings: ServingSettings) -> list[str]:
    of_each = ("state", "started_days", "began_with", "at_step", "due", "ended_by", "may_begin")
    return [
        *(f"{column}_{name}" for name in settings.workflows for column in of_each),
        *OF_SUNSET,
    ]
