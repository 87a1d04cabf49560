"""What decisions were made from, and what is asked of the mails among them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from features.localtime import local_of
from serving.conditions import Conditions
from serving.frequency import class_of
from serving.knowledge import Knowledge
from serving.scores import Scores
from serving.settings import ServingSettings

# Microseconds, of which all times are numbers.
HOUR = 3_600_000_000
DAY = 24 * HOUR


@dataclass(frozen=True)
class Grounds:
    """What decisions were made from.

    `people`: KEY, email_consent, suppressed_by, consent_confirmed_at, one row each. `items`: KEY,
    item, due_ratio. `history` (columns of HISTORY), `mail` (MAIL) and
    `products` (PRODUCTS) may hold more than theirs.
    """

    people: pl.DataFrame
    items: pl.DataFrame
    history: pl.DataFrame
    mail: pl.DataFrame
    products: pl.DataFrame
    conditions: Conditions


def grounds_of(knowledge: Knowledge, scores: Scores) -> Grounds:
    """The grounds of decisions that were made from these."""
    return Grounds(
        people=scores.people,
        items=scores.products,
        history=knowledge.history,
        mail=knowledge.mail,
        products=knowledge.products,
        conditions=knowledge.conditions,
    )


def sends_of(decisions: pl.DataFrame, settings: ServingSettings) -> pl.DataFrame:
    """The mails among the decisions, by the clock of who gets them."""
    sends = decisions.filter(pl.col("action") == "send").with_columns(mail_class=class_of(settings))
    if sends.is_empty():
        return sends.with_columns(local=pl.lit(None, pl.Datetime("us")))
    local = local_of(sends.get_column("send_at"), sends.get_column("timezone"))
    return sends.with_columns(local.alias("local"))


def ids_of(rows: pl.DataFrame, breaks: pl.Expr) -> Collection[str]:
    """Whatever cannot be told to hold is broken."""
    return rows.filter(breaks.fill_null(True)).get_column("decision_id").to_list()
