"""Which e-mails of the catalogue apply to a customer now, each with its reason and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import polars as pl

from features.segments import SEGMENTS
from serving.asked import condition
from serving.incentive import OF_INCENTIVE, grown
from serving.segment_settings import columns_asked
from serving.settings import EmailSettings, ServingSettings
from serving.tables import WORKFLOW
from serving.triggers import TRIGGERS, Picks
from serving.whose import NOBODY, gathered, only
from serving.workflow_steps import OF_SUNSET
from serving.workflows import in_workflow

# What guardrails, worth and reasons read of a question; the rest was for the triggers.
CARRIED = (
    "row", "person", "customer_id", "as_of", "earliest", "deadline", "emails", "timezone",
    "spread", "email_consent", "consent_since", "suppressed_by", "suppressed_at",
    "churn", "favourite_category", "basket_value", "spend_365d", "sends_7d",
    *OF_SUNSET, *OF_INCENTIVE,
)  # fmt: skip

# What models may say of an arm instead of the merchant, see serving.responses; null where none did.
LEARNT = (
    "learnt_clicks", "learnt_orders", "learnt_brings", "learnt_without", "learnt_redeemed",
    "learnt_reduced", "learnt_unsubscribes", "usual_clicks", "usual_unsubscribes", "doubt_clicks",
    "doubt_brings", "doubt_unsubscribes",
)  # fmt: skip

# Which category an e-mail is about, by what it shows.
ABOUT: Mapping[Picks, str] = {
    "category": "favourite_category",
    "new_favourite": "favourite_category",
    "premium": "favourite_category",
    "viewed": "viewed_category_30d",
    "new_similar": "viewed_category_30d",
    "related": "last_category",
}
BY_MACHINE, BY_HUMAN = "mail", "human"

# By question and e-mail.
Flags: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.bool_]]

# What is told only of an arm that is considered.
_TOLD = pl.Schema(
    {
        "reason": pl.String(),
        "since_hours": pl.Float64(),
        "workflow": WORKFLOW,
        "is_step": pl.Boolean(),
        "about": pl.String(),
        "tone": pl.String(),
        "by": pl.String(),
        "discount_share": pl.Float64(),
    }
)


def candidates_of(questions: pl.DataFrame, settings: ServingSettings) -> pl.DataFrame:
    """One row per question and e-mail asked about, in the catalogue's order.

    `considered` is what competes: an e-mail that applies, or the one of a pure question of time.
    Of the others no more is found out than that they do not apply: that is most of them.
    """
    if not questions.get_column("row").is_sorted():
        questions = questions.sort("row")
    arms = _arms(settings)
    flags = only(questions, _read_by_all(settings)).select_seq(_flags(settings))
    only_time = flags.get_column("only_time")
    is_asked = _asked(questions, arms)
    applies = np.column_stack([flags.get_column(arm.email).to_numpy() for arm in arms])
    considered = (applies | only_time.to_numpy()[:, None]) & is_asked
    question, place = np.nonzero(is_asked)
    told = _told(questions, considered, is_asked, arms)
    where = np.full(len(question), NOBODY)
    where[told.get_column("arm").to_numpy()] = np.arange(told.height)
    carried = only(questions, CARRIED).hstack([only_time])
    return pl.DataFrame(
        [
            pl.Series("arm", np.arange(len(question), dtype=np.uint32)),
            *carried[question].get_columns(),
            *_catalogue(settings)[place].get_columns(),
            pl.Series("applies", applies[question, place]),
            pl.Series("considered", considered[question, place]),
            *gathered(only(told, _TOLD), where).get_columns(),
        ]
    )


def applies_to(people: pl.DataFrame, email: str, settings: ServingSettings) -> bool:
    """Whether an e-mail of the catalogue applies to one person, whatever is asked."""
    [arm] = (one for one in _arms(settings) if one.email == email)
    return bool(people.select(arm.applies.fill_null(False)).item())


def asks_only_for_time() -> pl.Expr:
    """Of a question: exactly one e-mail is named, so whether it goes is decided already."""
    return (pl.col("emails").list.n_unique() == 1).fill_null(False)


@dataclass(frozen=True)
class _Arm:
    """An e-mail of the catalogue: whether it applies, and what is told of it if it does."""

    email: str
    applies: pl.Expr
    told: tuple[pl.Expr, ...]
    reads: tuple[str, ...]


def _asked(questions: pl.DataFrame, arms: list[_Arm]) -> Flags:
    """Whether a question is about an e-mail [questions, e-mails]."""
    emails = questions.get_column("emails")
    if emails.null_count() == len(emails):
        return np.ones((len(emails), len(arms)), dtype=np.bool_)
    named = questions.select(
        (pl.col("emails").is_null() | pl.col("emails").list.contains(arm.email)).alias(arm.email)
        for arm in arms
    )
    return named.to_numpy().astype(np.bool_)


def _told(
    questions: pl.DataFrame,
    considered: Flags,
    is_asked: Flags,
    arms: list[_Arm],
) -> pl.DataFrame:
    """`arm` and _TOLD of the arms that are considered."""
    numbers = np.cumsum(is_asked.ravel()).reshape(is_asked.shape) - 1
    parts = [pl.DataFrame(schema={"arm": pl.UInt32, **_TOLD}).lazy()]
    for place, arm in enumerate(arms):
        whose = np.flatnonzero(considered[:, place])
        if len(whose):
            number = pl.Series("arm", numbers[whose, place], pl.UInt32)
            # Of all that is known, no more is taken along than is read.
            theirs = only(questions, arm.reads)[whose]
            parts.append(theirs.lazy().select(number, *arm.told))
    return pl.concat(pl.collect_all(parts, engine="in-memory"))


@lru_cache(maxsize=8)
def _flags(settings: ServingSettings) -> list[pl.Expr]:
    """Whether each e-mail applies, and whether only the time is asked for."""
    applies = [arm.applies.alias(arm.email) for arm in _arms(settings)]
    return [*applies, asks_only_for_time().alias("only_time")]


@lru_cache(maxsize=8)
def _read_by_all(settings: ServingSettings) -> list[str]:
    return sorted({name for flag in _flags(settings) for name in flag.meta.root_names()})


@lru_cache(maxsize=8)
def _arms(settings: ServingSettings) -> list[_Arm]:
    """The columns of each e-mail's arm; kept, for writing them out takes longer than running."""
    return [_arm(name, settings) for name in settings.emails]


def _arm(name: str, settings: ServingSettings) -> _Arm:
    email, workflow = settings.emails[name], in_workflow(name, settings)
    trigger = TRIGGERS[email.trigger]
    by_trigger = trigger.applies(email.parameters).fill_null(False) & workflow.gate
    because = pl.when(by_trigger).then(trigger.because(email.parameters))
    told = {
        "reason": pl.coalesce(workflow.reason, because),
        # A step answers to the step before it, long ago: its deadline counts from the question.
        "since_hours": pl.when(by_trigger & ~workflow.is_due).then(trigger.since_hours),
        "workflow": workflow.place,
        "is_step": workflow.is_due,
        "about": pl.col(ABOUT[trigger.picks]) if trigger.picks in ABOUT else pl.lit(None),
        "tone": pl.lit(email.tone) if email.tone else _tone_of_stage(settings),
        "by": _by(email),
        "discount_share": grown(
            pl.lit(email.discount), pl.lit(email.discount_most), settings.incentive
        )
        if email.discount_most
        else pl.lit(email.discount),
    }
    columns = tuple(told[column].cast(dtype).alias(column) for column, dtype in _TOLD.items())
    return _Arm(
        email=name,
        applies=(workflow.is_due | by_trigger) & _is_meant(email, settings),
        told=columns,
        reads=tuple(sorted({"row", *(n for expr in columns for n in expr.meta.root_names())})),
    )


def _is_meant(email: EmailSettings, settings: ServingSettings) -> pl.Expr:
    """Whether the merchant means the e-mail for a customer of this kind."""
    is_meant = pl.lit(True)
    if email.stages:
        is_meant = pl.col("stage").is_in(email.stages).fill_null(False)
    if email.when:
        is_meant = is_meant & condition(email.when, columns_asked(settings.segments))
    return is_meant


def _tone_of_stage(settings: ServingSettings) -> pl.Expr:
    return pl.col("stage").replace_strict(
        settings.tones.model_dump(), default=None, return_dtype=pl.String
    )


def _by(email: EmailSettings) -> pl.Expr:
    """Whether the machine writes, or a person: to customers of the segments for whom one does."""
    onjes = [segment.name for segment in SEGMENTS if segment.name in email.by_human]
    is_human = pl.col("segment").is_in(onjes).fill_null(False)
    for segment in sorted(set(email.by_human) - set(onjes)):
        is_human = is_human | pl.col("own_segments").list.contains(segment)
    return pl.when(is_human).then(pl.lit(BY_HUMAN)).otherwise(pl.lit(BY_MACHINE))


@lru_cache(maxsize=8)
def _catalogue(settings: ServingSettings) -> pl.DataFrame:
    """One row per e-mail: its figures."""
    emails = settings.emails
    figures = {
        "delay_hours": pl.Float64, "deadline_hours": pl.Float64, "half_life_hours": pl.Float64,
        "settles_hours": pl.Float64,
        "click_rate": pl.Float64, "orders_per_click": pl.Float64, "bought_anyway": pl.Float64,
        "unsubscribe_rate": pl.Float64, "send_cost": pl.Float64,
        "show": pl.Int64, "enabled": pl.Boolean, "at_once": pl.Boolean,
        "coupon": pl.String, "mail_class": pl.String,
    }  # fmt: skip
    nobody_learnt = [pl.lit(None, pl.Float64).alias(name) for name in LEARNT]
    settings_of = {"show": "products"}
    columns = {
        name: [getattr(email, settings_of.get(name, name)) for email in emails.values()]
        for name in figures
    }
    return pl.DataFrame(
        {
            "place": range(len(emails)),
            "email": list(emails),
            "trigger": [email.trigger for email in emails.values()],
            "picks": [TRIGGERS[email.trigger].picks for email in emails.values()],
            **columns,
        },
        schema={
            "place": pl.UInt32, "email": pl.String, "trigger": pl.String, "picks": pl.String,
            **figures,
        },
    ).with_columns(*nobody_learnt, learnt=pl.lit([], pl.List(pl.String)))  # fmt: skip
