"""One policy in one world: decide, send, wait for what comes of it, learn; night after night."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl

from features.errors import NotReadyError
from pipelines.console import Step
from pipelines.evaluation.desk import Desk, desk_at, models_at, night, take_in
from pipelines.evaluation.harvest import Night, harvest
from pipelines.evaluation.logged import log_of
from pipelines.evaluation.names import FIXED, NOBODY, ONJE
from pipelines.evaluation.outcome import Outcome
from pipelines.evaluation.plan import Plan
from pipelines.evaluation.policies import FixedArm, best_fixed, valuation_of
from pipelines.evaluation.stage import Stage
from pipelines.settings import Settings
from serving.models import NO_MODELS
from serving.valuation import OWN


def play(
    policy: str, plan: Plan, stage: Stage, work: Path, *, settings: Settings, step: Step
) -> Outcome:
    """Let `policy` decide every `every_days` days; `work` is a folder of its own, removed after.

    What one night plans and does not send before the next one is decided anew.
    """
    settings = settings_of(policy, settings)
    run = stage.run.fork()
    moments = plan.moments(stage.world.start)
    end = stage.world.start + timedelta(weeks=plan.weeks)
    nights: list[Night] = []
    models, fixed = NO_MODELS, None
    if policy != NOBODY:
        with desk_at(work, stage, settings) as desk:
            fixed = _fixed(desk, stage) if policy == FIXED else None
            valuation = valuation_of(policy, run, settings=settings, fixed=fixed, seed=stage.seed)
            before = stage.world.start
            for place, now in enumerate(moments):
                step(f"{policy}, seed {stage.seed}: decisions", place, len(moments))
                take_in(desk, stage, run.events(now), since=before, until=now)
                if policy == ONJE:
                    models = models_at(desk, plan, start=stage.world.start, now=now)
                decisions = night(desk, policy, models, valuation, now=now)
                mails = _mails(decisions, settings, every=timedelta(days=plan.every_days))
                truth = run.send(mails.drop("explored"))
                nights.append(
                    Night(
                        mails.with_columns(gain=truth.get_column("margin")),
                        log_of(decisions) if policy == ONJE else None,
                    )
                )
                before = now
            step(f"{policy}, seed {stage.seed}: decisions", len(moments), len(moments))
    run.pass_time(end)
    return harvest(
        policy, stage, run, nights, settings=settings, models=models, fixed=fixed, end=end
    )


def settings_of(policy: str, settings: Settings) -> Settings:
    """All share the holdout; only Onje explores."""
    if policy == ONJE:
        return settings
    calm = settings.policy.model_copy(update={"explore_emails": 0.0, "explore_hours": 0.0})
    return settings.model_copy(update={"policy": calm})


def _mails(decisions: pl.DataFrame, settings: Settings, *, every: timedelta) -> pl.DataFrame:
    """The decisions to send that are due before the next night, as mails."""
    emails = pl.DataFrame(
        {
            "email": list(settings.emails),
            "trigger": [email.trigger for email in settings.emails.values()],
            "discount": [email.discount for email in settings.emails.values()],
            "send_cost": [email.send_cost for email in settings.emails.values()],
        }
    )
    is_due = pl.col("send_at") < pl.col("as_of") + every
    return (
        decisions.filter(pl.col("action") == "send", is_due)
        .join(emails, on="email", how="left", maintain_order="left")
        .select(
            "customer_id", "email", "trigger", "variant", at="send_at", products="products",
            discount="discount", send_cost="send_cost", decision_id="decision_id",
            message_id="decision_id",
            explored=pl.col("explored_email") | pl.col("explored_hour"),
        )
    )  # fmt: skip


def _fixed(desk: Desk, stage: Stage) -> FixedArm:
    """The best fixed arm, found among everything that may be sent at the start."""
    seen: list[pl.DataFrame] = []

    def looking(instants: pl.DataFrame) -> pl.Series:
        seen.append(instants)
        return OWN(instants)

    night(desk, "looking", NO_MODELS, looking, now=stage.world.start)
    found = best_fixed(pl.concat(seen), stage.run)
    if found is None:
        raise NotReadyError("no e-mail may go to anybody in this world; see [emails] in onje.toml")
    return found
