"""Which arm of each running experiment a customer is in, and what it makes of their e-mails.

An arm is drawn by a stable hash of customer, experiment and arm: no list of who is in which arm is
kept, and asking again gives the same. Of the arms the one of the smallest -ln(1 - hash) / share
wins, which each does with the chance of its share (Efraimidis and Spirakis 2006); when a bandit
moves its shares, few more customers change than the shares have moved. Experiments hash by names of
their own, so that each is dealt evenly within the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

from features.hashing import stable_share
from serving.conditions import Conditions
from serving.experiment_settings import (
    EVERY_EMAIL,
    INCENTIVE,
    SEND_HOUR,
    ExperimentSettings,
)
from serving.experiments import in_holdout
from serving.guardrail_settings import TRANSACTIONAL
from serving.settings import ServingSettings
from serving.tables import ELEMENT, EXPERIMENT

ASSIGNED = pl.Schema(
    {
        "row": pl.UInt32(),
        "experiment": pl.String(),
        "of_email": pl.String(),  # EVERY_EMAIL = any
        "factor": pl.String(),
        "arm": pl.String(),
        "propensity": pl.Float64(),
    }
)
NO_ELEMENTS = pl.lit([], pl.List(ELEMENT))


def shares_of(
    name: str, one: ExperimentSettings, learnt: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """The share of each arm as it is in force; a bandit's comes from the conditions.

    What was learnt of other arms than the settings have now is nothing.
    """
    if one.split == "bandit" and set(found := learnt.get(name, {})) == set(one.arms):
        return {arm: found[arm] for arm in one.arms}
    return one.fixed_shares


def takes_part(customer_id: str, name: str, one: ExperimentSettings) -> bool:
    """Whether a customer belongs to the `share` of customers that an experiment is about."""
    # Nothing to hash where everybody does.
    return one.share == 1 or stable_share(customer_id, f"takes part {name} {one.seed}") < one.share


def arm_of(customer_id: str, name: str, seed: int, shares: Mapping[str, float]) -> str:
    """The arm of a customer; each has the chance of its share."""
    salt = f"arm {name} {seed}"

    def waits(arm: str) -> float:
        return -math.log1p(-stable_share(f"{arm}\0{customer_id}", salt)) / shares[arm]

    return min(shares, key=waits)


def assigned(
    questions: pl.DataFrame, settings: ServingSettings, conditions: Conditions
) -> pl.DataFrame:
    """ASSIGNED: per question the running experiments that its customer takes part in.

    Who belongs to the holdout is in none of them, also where only the time is asked for.
    """
    running = _running(questions, settings.experiments)
    if not running:
        return ASSIGNED.to_frame()
    held_out = in_holdout(questions.get_column("customer_id"), settings.policy)
    asked = questions.filter(~held_out).select("row", "customer_id", "as_of").rows()
    found: list[tuple[object, ...]] = []
    for name, one in running.items():
        shares = shares_of(name, one, conditions.shares)
        for row, customer_id, as_of in asked:
            if one.runs_on(as_of.date()) and takes_part(customer_id, name, one):
                arm = arm_of(customer_id, name, one.seed, shares)
                found.append((row, name, one.email, one.factor, arm, shares[arm]))
    return pl.DataFrame(found, schema=ASSIGNED, orient="row")


def with_arms_of_experiments(candidates: pl.DataFrame, dealt: pl.DataFrame) -> pl.DataFrame:
    """What experiments make of each e-mail: `elements`, `only_hour` and the discount.

    `only_hour` is the one local hour that the e-mail may leave at, null = any. An incentive is the
    discount instead of the e-mail's own; one of nothing takes its coupon with it. What is owed is
    in no experiment: none may delay it, or give something away with it.
    """
    untouched = {"elements": NO_ELEMENTS, "only_hour": pl.lit(None, pl.Int8)}
    if dealt.is_empty():
        return candidates.with_columns(**untouched)
    of_arm = (
        candidates.lazy()
        .filter("considered", pl.col("mail_class") != TRANSACTIONAL)
        .select("row", candidate="arm", email="email")
        .join(dealt.lazy(), on="row")
        .filter((pl.col("of_email") == EVERY_EMAIL) | (pl.col("of_email") == pl.col("email")))
        # A join may bring its rows in any order; settings' order is that of names here.
        .sort("candidate", "factor", "experiment")
        .group_by("candidate", maintain_order=True)
        .agg(
            elements=pl.struct("factor", "arm").filter(
                ~pl.col("factor").is_in([SEND_HOUR, INCENTIVE])
            ),
            only_hour=_of_factor(SEND_HOUR).cast(pl.Int8, strict=False),
            incentive=_of_factor(INCENTIVE).cast(pl.Float64, strict=False),
        )
    )
    return (
        candidates.lazy()
        .join(of_arm, left_on="arm", right_on="candidate", how="left", maintain_order="left")
        .with_columns(
            pl.col("elements").fill_null(untouched["elements"]),
            discount_share=pl.coalesce("incentive", "discount_share"),
            coupon=pl.when(pl.col("incentive") == 0).then(pl.lit("")).otherwise("coupon"),
        )
        .drop("incentive")
        .collect(engine="in-memory")
    )


def experiments_of(dealt: pl.DataFrame, questions: pl.DataFrame) -> pl.Series:
    """`experiments` of each question, as the receipt lists them: those they take part in."""
    none = pl.Series("experiments", [[]], pl.List(EXPERIMENT))
    if dealt.is_empty():
        return none.new_from_index(0, questions.height)
    fields = [field.name for field in EXPERIMENT.fields]
    lists = dealt.group_by("row", maintain_order=True).agg(
        experiments=pl.struct(fields).sort_by("experiment")
    )
    whose = questions.select("row").join(lists, on="row", how="left", maintain_order="left")
    return whose.get_column("experiments").fill_null(pl.Series([[]], dtype=none.dtype))


def _of_factor(factor: str) -> pl.Expr:
    return pl.col("arm").filter(pl.col("factor") == factor).first()


def _running(
    questions: pl.DataFrame, experiments: Mapping[str, ExperimentSettings]
) -> dict[str, ExperimentSettings]:
    """Those that run at one of the moments asked about; mostly nothing has to be hashed."""
    if not experiments:
        return {}
    days = questions.get_column("as_of").dt.date().unique().to_list()
    return {name: one for name, one in experiments.items() if any(map(one.runs_on, days))}
