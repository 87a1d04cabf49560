"""What the nights of a policy came to: totals, customers, weeks, and the log of its decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from pipelines.evaluation.logged import LOG, rewarded
from pipelines.evaluation.policies import FixedArm
from pipelines.evaluation.prepared import Prepared
from pipelines.evaluation.result import Figures, Result
from pipelines.settings import Settings
from pipelines.simulator.run import Run
from serving.experiments import in_holdout
from serving.scores import Models

# Margins before the comparison that explain margins in it.
BEFORE = timedelta(weeks=13)
MAILS = pl.Schema(
    {
        "customer_id": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "email": pl.String(),
        "explored": pl.Boolean(),
        "kept": pl.Float64(),
        "gain": pl.Float64(),
    }
)


@dataclass(frozen=True)
class Night:
    """What one night came to.

    `mails` that were sent have `gain`, the margin that the truth expects each to add (null where it
    reached nobody); `log` is that of the decisions, where the policy draws.
    """

    mails: pl.DataFrame
    log: pl.DataFrame | None


def harvest(
    policy: str,
    prepared: Prepared,
    run: Run,
    nights: Sequence[Night],
    *,
    settings: Settings,
    models: Models,
    fixed: FixedArm | None,
    end: datetime,
) -> Result:
    """The result of a policy whose run has come to the `end`; `models` are its last ones."""
    start = prepared.world.start
    mails = pl.concat(
        [MAILS.to_frame(), *(one.mails.select(MAILS.names()).cast(MAILS) for one in nights)]
    ).with_columns(pl.col("gain").fill_null(0.0))
    truth = run.ledger(start, end)
    before = run.ledger(start - BEFORE, start).select("customer_id", before="margin")
    # What chance chose is left out; what it might have chosen and did not stands for it.
    unexplored = (
        mails.filter(~pl.col("explored"))
        .group_by("customer_id")
        .agg((pl.col("gain") / pl.col("kept")).sum())
    )
    customers = (
        truth.join(before, on="customer_id", how="left", maintain_order="left")
        .join(unexplored, on="customer_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("gain", "before").fill_null(0.0),
            holdout=in_holdout(truth.get_column("customer_id"), settings.policy),
        )
    )
    totals = truth.select(pl.col("margin", "orders", "unsubscribes", "complaints", "mails").sum())
    figures = Figures(
        policy=policy,
        seed=prepared.seed,
        **totals.row(0, named=True),
        gain=float(mails.get_column("gain").sum()),
        explored=int(mails.get_column("explored").sum()),
        models=models.versions,
        fixed=f"{fixed.email} at {fixed.hour:02d}:00" if fixed else None,
    )
    log = pl.concat([LOG.to_frame(), *(one.log for one in nights if one.log is not None)])
    return Result(figures, customers, mails, rewarded(log, run))
