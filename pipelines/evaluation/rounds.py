"""One policy in one world: decide, send, wait for what comes of it, learn; week after week."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from features.errors import NotReadyError
from features.lake import Lake
from features.tables import CUSTOMERS, EVENTS
from pipelines.console import Step
from pipelines.evaluation.names import FIXED, NOBODY, ONJE
from pipelines.evaluation.outcome import Figures, Outcome
from pipelines.evaluation.plan import Plan
from pipelines.evaluation.policies import FixedArm, best_fixed, valuation_of
from pipelines.evaluation.stage import Stage, home_for, learn
from pipelines.ingest.ingested import Ingested, Intake
from pipelines.ingest.into_lake import store as ingest
from pipelines.rescore import rescore
from pipelines.settings import Settings
from pipelines.simulator.run import Run
from serving.experiments import in_holdout
from serving.models import NO_MODELS, ModelShelf
from serving.scores import Models
from serving.store.store import Store
from serving.valuation import OWN, Valuation

PATIENCE_S = 10.0
# Margins before the comparison that explain margins in it.
BEFORE = timedelta(weeks=13)
MAILS = pl.Schema(
    {
        "customer_id": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "email": pl.String(),
        "explored": pl.Boolean(),
        "gain": pl.Float64(),
    }
)


@dataclass(frozen=True)
class Desk:
    """Where one policy works: its own lake, store and models."""

    home: Path
    lake: Lake
    store: Store
    shelf: ModelShelf


def play(
    policy: str, plan: Plan, stage: Stage, work: Path, *, settings: Settings, step: Step
) -> Outcome:
    """Let `policy` decide every `every_days` days; `work` is a folder of its own, removed after."""
    settings = settings_of(policy, settings)
    run = stage.run.fork()
    if policy == NOBODY:
        run.events(_end(plan, stage))
        return _outcome(policy, plan, stage, run, [], settings=settings, models=NO_MODELS)
    home = home_for(stage, work)
    store = Store.open(f"sqlite:///{home / 'store.db'}", patience_s=PATIENCE_S)
    try:
        desk = Desk(home, Lake(home / "lake"), store, ModelShelf(home))
        fixed = _fixed(desk, stage, settings) if policy == FIXED else None
        valuation = valuation_of(policy, run, fixed=fixed, settings=settings, seed=stage.seed)
        sent, models = [], NO_MODELS
        before = stage.world.start
        moments = list(_moments(plan, stage))
        for place, now in enumerate(moments):
            step(f"{policy}, seed {stage.seed}: decisions", place, len(moments))
            _take_in(desk.lake, stage, run.events(now), since=before, until=now)
            if policy == ONJE:
                models = _models(desk, plan, stage, now=now, settings=settings)
            mails = _chosen(
                desk, policy, models, valuation,
                now=now, until=now + timedelta(days=plan.every_days), settings=settings,
            )  # fmt: skip
            before = now
            sent.append(_told(mails, run.send(mails.drop("explored"))))
        run.events(_end(plan, stage))
        step(f"{policy}, seed {stage.seed}: decisions", len(moments), len(moments))
        return _outcome(
            policy, plan, stage, run, sent, settings=settings, models=models, fixed=fixed
        )
    finally:
        store.close()
        shutil.rmtree(home, ignore_errors=True)


def settings_of(policy: str, settings: Settings) -> Settings:
    """All share the holdout; only Onje explores."""
    if policy == ONJE:
        return settings
    calm = settings.policy.model_copy(update={"explore_emails": 0.0, "explore_hours": 0.0})
    return settings.model_copy(update={"policy": calm})


def _moments(plan: Plan, stage: Stage) -> Iterator[datetime]:
    for day in range(0, plan.weeks * 7, plan.every_days):
        yield stage.world.start + timedelta(days=day)


def _end(plan: Plan, stage: Stage) -> datetime:
    end: datetime = stage.world.start + timedelta(weeks=plan.weeks)
    return end


def _take_in(
    lake: Lake, stage: Stage, events: pl.DataFrame, *, since: datetime, until: datetime
) -> None:
    """What became known since the last decision, by the ingest of everybody's data."""
    is_new = pl.col("known_at").is_between(since, until, closed="left")
    customers = stage.world.customers.filter(is_new)
    brought = (("customers", CUSTOMERS, customers), ("events", EVENTS, events))
    intakes = tuple(
        Intake.of(name, table, frame, rows=frame.height) for name, table, frame in brought
    )
    ingest(Ingested(intakes, assumptions=()), lake, _silently)
    lake.tidy(EVENTS.name)


def _models(desk: Desk, plan: Plan, stage: Stage, *, now: datetime, settings: Settings) -> Models:
    """The champions, after training new ones where it is time for that."""
    since = now - stage.world.start
    weeks, rest = divmod(since, timedelta(weeks=plan.retrain_weeks))
    if weeks > 0 and rest < timedelta(days=plan.every_days):
        learn(desk.home, now, settings)
    desk.shelf.refresh(settings.features)
    return desk.shelf.current


def _chosen(
    desk: Desk,
    policy: str,
    models: Models,
    valuation: Valuation,
    *,
    now: datetime,
    until: datetime,
    settings: Settings,
) -> pl.DataFrame:
    """The mails of one night that leave before the next one, which decides the rest anew."""
    done = rescore(
        desk.lake,
        desk.store,
        models,
        as_of=now,
        out=desk.home / "rescored",
        settings=settings,
        policy=policy,
        valuation=valuation,
        step=_silently,
    )
    decisions = pl.read_parquet(done.folder / "decisions.parquet")
    shutil.rmtree(done.folder)
    emails = pl.DataFrame(
        {
            "email": list(settings.emails),
            "trigger": [email.trigger for email in settings.emails.values()],
            "discount": [email.discount for email in settings.emails.values()],
            "send_cost": [email.send_cost for email in settings.emails.values()],
        }
    )
    return (
        decisions.filter(pl.col("action") == "send", pl.col("send_at") < until)
        .join(emails, on="email", how="left", maintain_order="left")
        .select(
            "customer_id", "email", "trigger", "variant", at="send_at", products="products",
            category=pl.col("slots").struct.field("category"), discount="discount",
            send_cost="send_cost", decision_id="decision_id", message_id="decision_id",
            explored=pl.col("explored_email") | pl.col("explored_hour"),
        )
    )  # fmt: skip


def _told(mails: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    return mails.with_columns(gain=truth.get_column("margin")).select(
        pl.col(name).cast(dtype) for name, dtype in MAILS.items()
    )


def _fixed(desk: Desk, stage: Stage, settings: Settings) -> FixedArm:
    """The best fixed arm, found among everything that may be sent at the start."""
    seen: list[pl.DataFrame] = []

    def looking(instants: pl.DataFrame) -> pl.Series:
        seen.append(instants)
        return OWN(instants)

    now = stage.world.start
    _chosen(desk, "looking", NO_MODELS, looking, now=now, until=now, settings=settings)
    found = best_fixed(pl.concat(seen), stage.run)
    if found is None:
        raise NotReadyError("no e-mail may go to anybody in this world; see [emails] in onje.toml")
    return found


def _outcome(
    policy: str,
    plan: Plan,
    stage: Stage,
    run: Run,
    sent: list[pl.DataFrame],
    *,
    settings: Settings,
    models: Models,
    fixed: FixedArm | None = None,
) -> Outcome:
    start, end = stage.world.start, _end(plan, stage)
    mails = pl.concat([MAILS.to_frame(), *sent])
    truth = run.ledger(start, end)
    before = run.ledger(start - BEFORE, start).select("customer_id", before="margin")
    unexplored = mails.filter(~pl.col("explored")).group_by("customer_id").agg(pl.col("gain").sum())
    customers = (
        truth.join(before, on="customer_id", how="left", maintain_order="left")
        .join(unexplored, on="customer_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("gain", "before").fill_null(0.0),
            holdout=in_holdout(truth.get_column("customer_id"), settings.policy),
        )
    )
    weekly = (
        mails.group_by(week=(pl.col("at") - start).dt.total_days() // 7)
        .agg(pl.col("gain").sum(), mails=pl.len())
        .sort("week")
    )
    totals = truth.select(pl.col("margin", "orders", "unsubscribes", "complaints", "mails").sum())
    return Outcome(
        Figures(
            policy=policy,
            seed=stage.seed,
            **totals.row(0, named=True),
            gain=float(mails.get_column("gain").sum()),
            explored=int(mails.get_column("explored").sum()),
            decisions=len(list(_moments(plan, stage))) * plan.customers,
            models=models.versions,
            fixed=f"{fixed.email} at {fixed.hour:02d}:00" if fixed else None,
        ),
        customers,
        weekly,
    )


def _silently(doing: str, done: int, total: int) -> None:
    """The steps within one decision are too small to be shown."""
