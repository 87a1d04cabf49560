"""Whether they may be mailed: consent, its end, what silence has closed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import polars as pl

from features.acts import IS_ABOUT_EMAIL
from serving.brake import brake_of
from serving.guardrail_settings import MARKETING, TRANSACTIONAL
from serving.invariants.grounds import DAY, Grounds, ids_of
from serving.law import EMAIL, LAWS
from serving.settings import ServingSettings
from serving.tables import KEY
from serving.workflow_settings import WorkflowSettings

FORBIDDING = ("unsubscribe", "complaint", "erase")
# What a sender or a mailbox says; whatever else is known of somebody may be a sign of life.
OF_SENDING = ("send", "deliver", "bounce")
# A silence that is only just long enough may be rounded either way.
A_MOMENT = timedelta(seconds=1)


# Whose law the mail goes by.
_LEGAL = pl.col("slots").struct.field("legal")


def unmailable(sends: pl.DataFrame, grounds: Grounds, settings: ServingSettings) -> Collection[str]:
    of_people = ("email_consent", "suppressed_by", "consent_confirmed_at")
    known = sends.select(*KEY, "decision_id", "mail_class", "send_at", legal=_LEGAL).join(
        grounds.people.select(*KEY, *of_people, found=pl.lit(True)), on=KEY, how="left"
    )
    reachable = ~pl.col("suppressed_by").is_in(["bounce", "erase"]).fill_null(False)
    allowed = (pl.col("email_consent") == "granted") & pl.col("suppressed_by").is_null()
    is_transactional = pl.col("mail_class") == TRANSACTIONAL
    may = pl.when(is_transactional).then(reachable).otherwise(allowed) & pl.col("found")
    is_marketing = pl.col("mail_class") == MARKETING
    is_stopped = brake_of(grounds.conditions, settings.brake).state == "stopped"
    may = may & ~(is_marketing & (_runs_out(settings) | pl.lit(is_stopped)))
    return ids_of(known, ~may)


def _runs_out(settings: ServingSettings) -> pl.Expr:
    """Consent that was not confirmed for as long as the law of the receipt allows."""
    overdue = pl.lit(False)
    for law in LAWS.values():
        if law.channel == EMAIL and law.confirm_years and settings.law.silence_ends_consent:
            ends = pl.col("consent_confirmed_at").dt.offset_by(f"{law.confirm_years}y")
            is_over = (pl.col("send_at") >= ends).fill_null(True)
            overdue = overdue | ((pl.col("legal") == law.jurisdiction).fill_null(True) & is_over)
    return overdue


def withdrawn(sends: pl.DataFrame, history: pl.DataFrame) -> Collection[str]:
    """Whose newest word, by when it became known, is no."""
    said = pl.col("reason").fill_null("")
    acts = history.filter(pl.col("kind").is_in([*FORBIDDING, "consent"]), IS_ABOUT_EMAIL)
    newest = (
        acts.join(sends.select("decision_id", "mail_class", *KEY), on="customer_id")
        .filter(pl.col("known_at") <= pl.col("as_of"))
        .with_columns(is_no=pl.col("kind").is_in(FORBIDDING) | (said == "denied"))
        .sort("known_at", "is_no")
        .group_by("decision_id", "mail_class")
        .agg(pl.col("is_no").last(), erased=(pl.col("kind") == "erase").any())
    )
    is_transactional = pl.col("mail_class") == TRANSACTIONAL
    return ids_of(newest, pl.when(is_transactional).then("erased").otherwise("is_no"))


def let_go(sends: pl.DataFrame, grounds: Grounds, settings: ServingSettings) -> Collection[str]:
    """Marketing to whom a workflow has let go: silent since its last step, and long enough.

    Asked more mildly than the policy asks: any word of theirs since it began counts for them.
    """
    ends = [workflow for workflow in settings.workflows.values() if workflow.sunset_days > 0]
    last = [email for workflow in ends for email in workflow.steps[-1].emails]
    asked = grounds.history.filter(pl.col("kind") == "send", pl.col("email").is_in(last))
    marketing = (
        sends.filter(pl.col("mail_class") == MARKETING)
        .select("decision_id", *KEY)
        .join(asked.select("customer_id").unique(), on="customer_id", how="semi")
    )
    known = grounds.history.join(marketing, on="customer_id").filter(
        pl.col("known_at") <= pl.col("as_of"), pl.col("at") < pl.col("as_of")
    )
    return {one for workflow in ends for one in _silent_since(known, workflow)}


def _silent_since(known: pl.DataFrame, workflow: WorkflowSettings) -> pl.Series:
    """Ids of decisions whose customers have been silent since the last step of a workflow."""
    is_mail = (pl.col("kind") == "send") & IS_ABOUT_EMAIL
    first, last = workflow.steps[0].emails, workflow.steps[-1].emails
    began = pl.when(is_mail & pl.col("email").is_in(first)).then("at").max()
    ended = pl.when(is_mail & pl.col("email").is_in(last)).then("at").max()
    spoke = pl.when(~pl.col("kind").is_in(OF_SENDING)).then("at").max()
    silence = pl.duration(microseconds=round(DAY * workflow.sunset_days)) + A_MOMENT
    told = known.group_by("decision_id", "as_of").agg(began=began, ended=ended, spoke=spoke)
    is_over = (pl.col("ended") >= pl.col("began")) & (pl.col("as_of") - pl.col("ended") >= silence)
    is_silent = pl.col("spoke").is_null() | (pl.col("spoke") < pl.col("began"))
    return told.filter(is_over.fill_null(False) & is_silent.fill_null(False)).get_column(
        "decision_id"
    )
