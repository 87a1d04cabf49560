"""One policy in one world: decide, send, wait for what comes of it, learn; night after night."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from features.errors import NotReadyError
from pipelines.console import Step
from pipelines.evaluation.desk import Desk, desk_at, models_at, night, take_in
from pipelines.evaluation.harvest import Night, harvest
from pipelines.evaluation.logged import log_of
from pipelines.evaluation.names import FIXED, NOBODY, ONJE
from pipelines.evaluation.plan import Plan
from pipelines.evaluation.policies import FixedArm, best_fixed, valuation_of
from pipelines.evaluation.prepared import Prepared
from pipelines.evaluation.result import Result
from pipelines.settings import Settings
from serving.models import NO_MODELS
from serving.valuation import OWN

# The settings of [policy] that leave something to chance.
CHANCE = ("explore_emails", "explore_emails_at_first", "explore_hours")


def play(
    policy: str, plan: Plan, prepared: Prepared, work: Path, *, settings: Settings, step: Step
) -> Result:
    """Let `policy` decide every `every_days` days; `work` is a folder of its own, removed after.

    What one night plans and does not send before the next one is decided anew.
    """
    settings = settings_of(policy, settings)
    run = prepared.run.fork()
    moments = plan.moments(prepared.world.start)
    end = prepared.world.start + timedelta(weeks=plan.weeks)
    nights: list[Night] = []
    models, fixed = NO_MODELS, None
    if policy != NOBODY:
        with desk_at(work, prepared, settings) as desk:
            fixed = _fixed(desk, prepared) if policy == FIXED else None
            valuation = valuation_of(
                policy, run, settings=settings, fixed=fixed, seed=prepared.seed
            )
            before = prepared.world.start
            for place, now in enumerate(moments):
                step(f"{policy}, seed {prepared.seed}: decisions", place, len(moments))
                take_in(desk, prepared, run.events(now), since=before, until=now)
                if policy == ONJE:
                    models = models_at(desk, plan, start=prepared.world.start, now=now)
                decisions = night(desk, policy, models, valuation, now=now)
                until = min(now + timedelta(days=plan.every_days), end)
                mails = _mails(decisions, settings, until=until)
                truth = run.send(mails.drop("explored", "kept"))
                nights.append(
                    Night(
                        mails.with_columns(gain=truth.get_column("margin")),
                        log_of(decisions) if policy == ONJE else None,
                    )
                )
                before = now
            step(f"{policy}, seed {prepared.seed}: decisions", len(moments), len(moments))
    run.pass_time(end)
    return harvest(
        policy, prepared, run, nights, settings=settings, models=models, fixed=fixed, end=end
    )


def settings_of(policy: str, settings: Settings) -> Settings:
    """All share the holdout; only Onje explores."""
    if policy == ONJE:
        return settings
    calm = settings.policy.model_copy(update=dict.fromkeys(CHANCE, 0.0))
    return settings.model_copy(update={"policy": calm})


def _mails(decisions: pl.DataFrame, settings: Settings, *, until: datetime) -> pl.DataFrame:
    """The decisions to send that are due before `until`, as mails.

    `explored` says whether chance chose e-mail or hour, `kept` how likely it was that it did not.
    """
    policy = settings.policy
    # Where there is but one open hour, no hour is explored.
    has_hours = pl.col("hour_propensity") < 1
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
            discount="discount", send_cost="send_cost", decision_id="decision_id",
            message_id="decision_id",
            explored=pl.col("explored_email") | pl.col("explored_hour"),
            kept=(1 - pl.col("explore_share"))
            * pl.when(has_hours).then(1 - policy.explore_hours).otherwise(1.0),
        )
    )  # fmt: skip


def _fixed(desk: Desk, prepared: Prepared) -> FixedArm:
    """The best fixed arm, found among everything that may be sent at the start."""
    seen: list[pl.DataFrame] = []

    def looking(instants: pl.DataFrame) -> pl.Series:
        seen.append(instants)
        return OWN(instants)

    night(desk, "looking", NO_MODELS, looking, now=prepared.world.start)
    found = best_fixed(pl.concat(seen), prepared.run)
    if found is None:
        raise NotReadyError("no e-mail may go to anybody in this world; see [emails] in onje.toml")
    return found
