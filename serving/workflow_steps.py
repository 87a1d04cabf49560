"""Where customers stand in workflows: derived from what they were sent and did, never stored.

A workflow begins when an e-mail of its first step is sent. It ends with whatever its `ends_on`
names, once a person does it after that; with its last step; or after `runs_days`. While it runs,
the step that is due is the latest one whose days have passed, if neither it nor a later one was
sent or promised since the start: what was missed is left out, what could not go stays due.

After the last step, `sunset_days` without any act of their own close the address to marketing,
until they do something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serving.asked import condition
from serving.segment_settings import columns_asked
from serving.settings import ServingSettings
from serving.tables import KEY
from serving.whose import NOBODY, index_of, only, places_of
from serving.workflow_settings import ENDS, StepSettings, WorkflowSettings

# Days since something, or numbers, one per customer; what never was is infinitely long ago.
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

NEVER = np.inf
# Any act of their own, or their word that they want our mail: what ends a sunset.
SIGNS_OF_LIFE = ("act", "consent")
# What the guardrail of the sunset reads of a customer.
OF_SUNSET = ("sunset", "sunset_by", "sunset_email", "sunset_days")
# The same of somebody whom no workflow has let go of.
NO_SUNSET = (
    pl.lit(False).alias("sunset"),
    pl.lit(None, pl.String).alias("sunset_by"),
    pl.lit(None, pl.String).alias("sunset_email"),
    pl.lit(None, pl.Float64).alias("sunset_days"),
)
NOT_BEGUN, RUNNING, ENDED, DONE, LAPSED = STATES = (
    "not_begun", "running", "ended", "done", "lapsed",
)  # fmt: skip


@dataclass(frozen=True)
class _Known:
    """What a workflow reads of all customers; `sent` and `waits` by e-mail, `since` by act."""

    people: pl.DataFrame
    sent: Mapping[str, Floats]
    waits: Mapping[str, Flags]
    since: Mapping[str, Floats]
    unclicked: Floats
    columns: Sequence[str]

    def newest(self, emails: Sequence[str]) -> Floats:
        """Days since any of the e-mails was last sent."""
        days: Floats = np.minimum.reduce([self.sent[email] for email in emails])
        return days

    def is_promised(self, step: StepSettings) -> Flags:
        waits: Flags = np.logical_or.reduce([self.waits[email] for email in step.emails])
        return waits

    def is_for(self, step: StepSettings) -> Flags:
        """Whom the condition of a step holds for."""
        whom: Flags = np.ones(len(self.unclicked), dtype=np.bool_)
        if step.when:
            holds = self.people.select(holds=condition(step.when, self.columns))
            whom = whom & holds.get_column("holds").to_numpy()
        return whom


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
    days ago: `sunset_by`, `sunset_email`, `sunset_days`. What there is not, is null.
    """
    known = _known(people, contacts, promised, settings)
    columns = [
        column
        for name, workflow in settings.workflows.items()
        for column in _standing(name, workflow, known)
    ]
    return only(people, KEY).hstack([*columns, *_sunset(settings.workflows, known)])


def sunset_emails(settings: ServingSettings) -> list[str]:
    """The e-mails after which silence closes an address: no sunset without one of them."""
    return [
        email
        for workflow in settings.workflows.values()
        if workflow.sunset_days > 0
        for email in workflow.steps[-1].emails
    ]


def _known(
    people: pl.DataFrame, contacts: pl.DataFrame, promised: pl.DataFrame, settings: ServingSettings
) -> _Known:
    emails = [email for workflow in settings.workflows.values() for email in workflow.emails]
    place = {email: number for number, email in enumerate(emails)}
    index = index_of(people)

    def of_workflows(frame: pl.DataFrame, *columns: str) -> list[NDArray[np.generic]]:
        """`person`, the place of the e-mail, and `columns` of the rows about our e-mails."""
        places = np.array(
            [place.get(email, NOBODY) for email in frame.get_column("email").to_list()],
            dtype=np.int64,
        )
        person = places_of(frame, index)
        ours = np.flatnonzero((places != NOBODY) & (person != NOBODY))
        told = (frame.get_column(column).to_numpy()[ours] for column in columns)
        return [person[ours], places[ours], *told]

    sent = np.full((len(emails), people.height), NEVER)
    waits = np.zeros((len(emails), people.height), dtype=np.bool_)
    if emails:
        person, email, days = of_workflows(contacts, "days_since_same")
        # Null where the e-mail was clicked, and its sending is not known.
        sent[email, person] = np.where(np.isnan(days), NEVER, days)
    if emails and promised.height:
        person, email = of_workflows(promised)
        waits[email, person] = True
    acts = {*SIGNS_OF_LIFE, *(act for w in settings.workflows.values() for act in w.ends_on)}
    return _Known(
        people=people,
        sent=dict(zip(emails, sent, strict=True)),
        waits=dict(zip(emails, waits, strict=True)),
        since={act: _days(people, ENDS[act]) for act in sorted(acts)},
        unclicked=np.nan_to_num(people.get_column("unclicked_streak").to_numpy()),
        columns=columns_asked(settings.segments),
    )


def _days(people: pl.DataFrame, feature: str) -> Floats:
    days = people.get_column(feature).to_numpy()
    return np.where(np.isnan(days), NEVER, days)


def _standing(name: str, workflow: WorkflowSettings, known: _Known) -> list[pl.Series]:
    first, *later = workflow.steps
    last = len(workflow.steps)
    started = known.newest(first.emails)
    has_begun = started < NEVER
    began_with = _first([known.sent[email] == started for email in first.emails], has_begun)
    ended_by = _first([known.since[act] < started for act in workflow.ends_on], has_begun)

    at_step = has_begun.astype(np.int64)
    taken = at_step.copy()
    for number, step in enumerate(later, start=2):
        since_start = has_begun & (known.newest(step.emails) <= started)
        at_step[since_start] = number
        taken[since_start | known.is_promised(step)] = number

    state = np.select(
        [~has_begun, ended_by > 0, at_step == last, started > workflow.runs_days],
        [STATES.index(one) for one in (NOT_BEGUN, ENDED, DONE, LAPSED)],
        STATES.index(RUNNING),
    )
    is_running = state == STATES.index(RUNNING)
    due = np.zeros(len(started), dtype=np.int64)
    for number, step in enumerate(later, start=2):
        is_time = started >= step.after_days
        if number == last and workflow.unanswered:
            is_time = is_time | (known.unclicked >= workflow.unanswered)
        due[is_running & is_time & (taken < number) & known.is_for(step)] = number
    may_begin = ~is_running & (started >= workflow.again_days)
    if len(first.emails) > 1:
        # Whichever of them goes is the start; the others must not go beside it.
        may_begin = may_begin & ~known.is_promised(first)
    return [
        _words(f"state_{name}", state, STATES),
        _ago(f"started_days_{name}", started),
        _words(f"began_with_{name}", began_with, (None, *first.emails)),
        _step(f"at_step_{name}", at_step),
        _step(f"due_{name}", due),
        _words(f"ended_by_{name}", ended_by, (None, *workflow.ends_on)),
        pl.Series(f"may_begin_{name}", may_begin),
    ]


def _first(flags: Sequence[Flags], among: Flags) -> NDArray[np.int64]:
    """The number (from 1) of the first flag that holds for each customer; 0 where none does."""
    return np.select([flag & among for flag in flags], range(1, len(flags) + 1), 0)


def _words(name: str, numbers: NDArray[np.int64], words: Sequence[str | None]) -> pl.Series:
    return pl.Series(name, [words[number] for number in numbers.tolist()], pl.String)


def _step(name: str, numbers: NDArray[np.int64]) -> pl.Series:
    """Numbers of steps, null for 0."""
    return pl.Series(name, [number or None for number in numbers.tolist()], pl.UInt32)


def _ago(name: str, days: Floats) -> pl.Series:
    """Days since something, null for never."""
    known = np.where(days < NEVER, days, np.nan)
    return pl.Series(name, known, pl.Float64, nan_to_null=True)


def _sunset(workflows: Mapping[str, WorkflowSettings], known: _Known) -> list[pl.Series]:
    """The first workflow that has closed an address is the one that is named."""
    size = len(known.unclicked)
    days = np.full(size, NEVER)
    by, email = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    names: list[str | None] = [None]
    emails: list[str | None] = [None]
    for name, workflow in workflows.items():
        started, last = known.newest(workflow.steps[0].emails), workflow.steps[-1].emails
        silent = known.newest(last)
        is_alive = np.logical_or.reduce(
            [known.since[act] < started for act in workflow.ends_on]
            + [known.since[act] < silent for act in SIGNS_OF_LIFE]
        )
        is_over = (silent <= started) & (started < NEVER) & (silent >= workflow.sunset_days)
        shut = is_over & ~is_alive & (days == NEVER) & (workflow.sunset_days > 0)
        days[shut] = silent[shut]
        names.append(name)
        by[shut] = len(names) - 1
        for one in last:
            emails.append(one)
            email[shut & (known.sent[one] == silent)] = len(emails) - 1
    values = (
        pl.Series(by > 0),
        _words("by", by, names),
        _words("email", email, emails),
        _ago("days", days),
    )
    return [series.alias(name) for series, name in zip(values, OF_SUNSET, strict=True)]
