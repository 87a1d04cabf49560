"""Which mails stand beside a decision: those that left, and those that other decisions promised."""

from __future__ import annotations

import polars as pl

from features.acts import IS_ABOUT_EMAIL
from serving.knowledge import Knowledge
from serving.scores import Scores
from serving.settings import ServingSettings
from serving.tables import KEY
from serving.workflow_steps import steps_of


def promised_beside(requests: pl.DataFrame, mail: pl.DataFrame) -> pl.DataFrame:
    """Rows of `mail` (MAIL) that other decisions promised; none stands in its own way.

    Caps, steps of workflows and receipts all ask here. Right for every row of `requests` where
    `turns_of` says 0 of all of them.
    """
    return mail.join(requests, on=["customer_id", "decision_id"], how="anti")


def turns_of(requests: pl.DataFrame, mail: pl.DataFrame) -> pl.Series:
    """Which rows may be decided in one go: those of the same number; all are 0 as a rule.

    What one row of a customer promised stands beside their other rows, but not in its own way, so
    where a customer has several rows and one of them is promised, each takes a turn of its own.
    """
    whose = ["customer_id", "decision_id"]
    own = requests.join(mail, on=whose, how="semi").get_column("customer_id").unique()
    turn = pl.int_range(pl.len()).over("customer_id")
    takes_turns = pl.col("customer_id").is_in(own.implode())
    return requests.select(turn=pl.when(takes_turns).then(turn).otherwise(0)).to_series()


def mails_of(requests: pl.DataFrame, knowledge: Knowledge, people: pl.DataFrame) -> pl.DataFrame:
    """What each of `people` (person, KEY) was sent or is promised: person, as_of, email, at."""
    # Picked by place: to filter a history that came in many pieces takes thirty times as long.
    is_send = knowledge.history.get_column("kind") == "send"
    sent = (
        knowledge.history.select("customer_id", "channel", "known_at", "event_id", "email", "at")[
            is_send.arg_true()
        ]
        .lazy()
        .filter(IS_ABOUT_EMAIL)
        .join(people.lazy(), on="customer_id")
        .filter(pl.col("known_at") <= pl.col("as_of"))
        .unique(["person", "event_id"], keep="first", maintain_order=True)
        .collect(engine="in-memory")
    )
    promised = promised_beside(requests, knowledge.mail).join(people, on="customer_id")
    columns = ("person", "as_of", "email", "at")
    return pl.concat([sent.select(columns), promised.select(columns)])


def standing_of(
    scores: Scores, requests: pl.DataFrame, mail: pl.DataFrame, settings: ServingSettings
) -> pl.DataFrame:
    """Where the scored people stand in each workflow (serving.workflow_steps), as `requests` ask.

    One row per row of `scores.people`, in its order.
    """
    promised = promised_beside(requests, mail).join(scores.people.select(KEY), on="customer_id")
    return steps_of(scores.people, scores.contacts, promised, settings)
