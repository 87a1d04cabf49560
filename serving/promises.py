"""Which mails stand beside a decision: those that left, and those that other decisions promised."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.acts import IS_ABOUT_EMAIL
from serving.knowledge import Knowledge
from serving.scores import Scores
from serving.settings import ServingSettings
from serving.tables import KEY
from serving.whose import only
from serving.workflow_steps import steps_of


def promised_beside(requests: pl.DataFrame, mail: pl.DataFrame) -> pl.DataFrame:
    """Rows of `mail` (MAIL) that other decisions promised; none stands in its own way.

    Caps, steps of workflows and receipts all ask here. Right for every row of `requests` where
    `turns_of` says 0 of all of them.
    """
    if not _are_promised(requests, mail):
        return mail
    return mail.join(requests, on=["customer_id", "decision_id"], how="anti")


def turns_of(requests: pl.DataFrame, mail: pl.DataFrame) -> pl.Series:
    """Which rows may be decided in one go: those of the same number; all are 0 as a rule.

    What one row of a customer promised stands beside their other rows, but not in its own way, so
    where a customer has several rows and one of them is promised, each takes a turn of its own.
    """
    if not _are_promised(requests, mail):
        return pl.Series("turn", [0], pl.Int64).new_from_index(0, requests.height)
    whose = ["customer_id", "decision_id"]
    own = requests.join(mail, on=whose, how="semi").get_column("customer_id").unique()
    turn = pl.int_range(pl.len()).over("customer_id")
    takes_turns = pl.col("customer_id").is_in(own.implode())
    return requests.select(turn=pl.when(takes_turns).then(turn).otherwise(0)).to_series()


def mails_of(requests: pl.DataFrame, knowledge: Knowledge, people: pl.DataFrame) -> pl.DataFrame:
    """What each of `people` (person, KEY) was sent or is promised: person, as_of, email, at."""
    # Picked by place: to filter a history that came in many pieces takes thirty times as long.
    is_send = knowledge.history.get_column("kind") == "send"
    sends = only(knowledge.history, _OF_SEND)[np.flatnonzero(is_send.to_numpy())].filter(
        IS_ABOUT_EMAIL
    )
    sent = (
        _to_people(sends, people)
        .filter(pl.col("known_at") <= pl.col("as_of"))
        .unique(["person", "event_id"], keep="first", maintain_order=True)
    )
    promised = _to_people(promised_beside(requests, knowledge.mail), people)
    columns = ("person", "as_of", "email", "at")
    return pl.concat([only(sent, columns), only(promised, columns)])


_OF_SEND = ("customer_id", "channel", "known_at", "event_id", "email", "at")


def _to_people(mails: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Each row of `mails` once for each of `people` whose customer it went to."""
    customers = people.get_column("customer_id").to_list()
    if mails.is_empty():
        whose = np.zeros(0, dtype=np.int64)
    elif len(customers) == 1:
        mails = mails.filter(pl.col("customer_id") == customers[0])
        whose = np.zeros(mails.height, dtype=np.int64)
    else:
        places = only(people, ["customer_id"]).with_row_index("__person")
        mails = mails.join(places, on="customer_id", maintain_order="left_right")
        whose = mails.get_column("__person").to_numpy()
        mails = only(mails, mails.columns[:-1])
    others = only(people, [name for name in people.columns if name != "customer_id"])
    return mails.hstack(others[whose].get_columns())


def _are_promised(requests: pl.DataFrame, mail: pl.DataFrame) -> bool:
    """Whether any of these decisions is among the mails that are promised; hardly ever."""
    asked = requests.get_column("decision_id").to_list()
    return not set(asked).isdisjoint(mail.get_column("decision_id").to_list())


def standing_of(
    scores: Scores, requests: pl.DataFrame, mail: pl.DataFrame, settings: ServingSettings
) -> pl.DataFrame:
    """Where the scored people stand in each workflow (serving.workflow_steps), as `requests` ask.

    One row per row of `scores.people`, in its order.
    """
    promised = _to_people(promised_beside(requests, mail), only(scores.people, KEY))
    return steps_of(scores.people, scores.contacts, promised, settings)
