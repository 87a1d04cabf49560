"""What a policy wrote into its receipts, as the log that another policy is judged on."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from pipelines.evaluation.names import ONJE, RULES
from pipelines.simulator.run import Run
from training.gate import Verdict
from training.offpolicy.logged import choosing, read_log
from training.policy_gate import judge_policies
from training.settings import OffPolicySettings

WAIT = "wait"
# A decision is rewarded with its customer's margin of so many days.
REWARD = timedelta(days=7)
LOG = pl.Schema(
    {
        "customer_id": pl.String(),
        "as_of": pl.Datetime("us", "UTC"),
        "arm": pl.String(),
        "propensity": pl.Float64(),
        "possible": pl.List(pl.String()),
        "usual": pl.String(),  # what the policy does where it does not explore
    }
)


def log_of(decisions: pl.DataFrame) -> pl.DataFrame:
    """LOG of one night's decisions: those outside the holdout that had a choice."""
    arms = (
        decisions.select("customer_id", "arms")
        .explode("arms")
        .unnest("arms")
        .filter(pl.col("propensity") > 0)
        .select("customer_id", "email", "propensity")
    )
    waiting = decisions.select(
        "customer_id", email=pl.lit(WAIT), propensity="wait_propensity"
    ).filter(pl.col("propensity") > 0)
    could = (
        pl.concat([arms, waiting])
        .group_by("customer_id", maintain_order=True)
        .agg(possible="email", usual=pl.col("email").get(pl.col("propensity").arg_max()))
        .filter(pl.col("possible").list.len() > 1)
    )
    return (
        decisions.filter(~pl.col("holdout"))
        .join(could, on="customer_id", how="inner", maintain_order="left")
        .select(
            "customer_id",
            "as_of",
            arm=pl.col("email").fill_null(WAIT),
            propensity="email_propensity",
            possible="possible",
            usual="usual",
        )
        .cast(LOG)
    )


def rewarded(log: pl.DataFrame, run: Run) -> pl.DataFrame:
    """The log with the `reward` of each decision: the customer's margin of the week after it."""
    moments: list[datetime] = log.get_column("as_of").unique().sort().to_list()
    weeks = [
        run.ledger(now, now + REWARD).select(
            "customer_id", as_of=pl.lit(now).cast(LOG["as_of"]), reward="margin"
        )
        for now in moments
    ]
    if not weeks:
        return log.with_columns(reward=pl.lit(None, pl.Float64))
    return log.join(
        pl.concat(weeks), on=["customer_id", "as_of"], how="left", maintain_order="left"
    )


def verdict_of(
    log: pl.DataFrame, emails: list[str], *, settings: OffPolicySettings
) -> Verdict | None:
    """Whether Onje may replace the rules, as its own log tells it; None where the log is empty.

    The rules take of the e-mails that were possible the one listed first. Hours are left as they
    were drawn: it is the choice of the e-mail that is judged.
    """
    if log.is_empty():
        return None
    arms = [*emails, WAIT]
    place = {email: number for number, email in enumerate(arms)}
    read = read_log(log, arms=arms)
    listed_first = np.where(read.possible, np.arange(len(arms)), len(arms)).min(axis=1)
    usual = log.get_column("usual").replace_strict(place, return_dtype=pl.Int64).to_numpy()
    return judge_policies(
        read,
        choosing(ONJE, usual, arms=len(arms)),
        choosing(RULES, listed_first.astype(np.int64), arms=len(arms)),
        arms=arms,
        otherwise=place[WAIT],
        settings=settings,
    )
