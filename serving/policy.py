"""The middle of a decision: frames in, one e-mail at one instant or none per question out."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from serving.assignment import assigned, told_experiments, with_arms_of_experiments
from serving.brake import brake_of
from serving.conditions import Conditions
from serving.evidence import with_evidence
from serving.experiments import draws_of, first_per_row, with_choice, with_hour, with_variant
from serving.frequency import closed_times
from serving.guardrail_settings import MARKETING
from serving.hours import hours, with_window
from serving.instants import (
    FORBIDDING_CUSTOMERS,
    at_instant,
    valued_instants,
    with_best_instants,
)
from serving.law import expiries, mail_law
from serving.moved import with_all_that_shut
from serving.products import with_products
from serving.reasons import Reasons, doubts, listed, no_reasons, send_reasons, told, wait_reasons
from serving.settings import ServingSettings
from serving.tables import ARM
from serving.valuation import OWN, Valuation
from serving.value import parts_at_best, with_parts
from serving.workflow_steps import OF_SUNSET

# What an answer reads of the question, and of the arm that is chosen.
OF_QUESTION = (
    "row", "as_of", "known_customer", "timezone_known", "degraded", "missing_models",
    "hour_evidence", "email_consent", "consent_since", "suppressed_by", "suppressed_at",
    "legal", *OF_SUNSET,
)  # fmt: skip
OF_CHOSEN = (
    "arm", "email", "mail_class", "variant", "ends_at", "products", "picks", "coupon", "tone",
    "discount_share", "reason", "applies", "only_time", "moved_by", "elements",
    "workflow", "is_step", "about", "by", "unconstrained_local_at",
)  # fmt: skip


@dataclass(frozen=True)
class Inputs:
    """Everything a decision depends on; `person` numbers the distinct (customer_id, as_of) from 0.

    `questions`: row, person, spread, customer_id, as_of, emails, earliest, deadline and whatever
    is known of the customer. `candidates`: those of serving.candidates. `curves`: 48 hours per
    person. `picks`: products per person and pick. `mails`: person, as_of, email, at of what was
    sent or promised. `conditions` hold for all alike.
    """

    questions: pl.DataFrame
    candidates: pl.DataFrame
    curves: pl.DataFrame
    picks: pl.DataFrame
    mails: pl.DataFrame
    conditions: Conditions


def decide(
    inputs: Inputs,
    *,
    settings: ServingSettings,
    valuation: Valuation,
    default_zone: str,
    currency: str,
) -> pl.DataFrame:
    """One row per question, in order: what DECISIONS says of the action, and `arms` beside it.

    The worthiest e-mail at its best allowed instant wins, if it is worth more than none at all.
    A tie goes to the e-mail listed first, so that the answer is never an accident. Who is held out
    gets none, and a share of the choices is left to chance.
    """
    policy = settings.policy
    dealt = assigned(inputs.questions, settings, inputs.conditions)
    candidates = with_arms_of_experiments(inputs.candidates, dealt)
    competing = candidates.lazy().filter("considered")
    windows = with_products(with_window(competing), inputs.picks)
    priced = with_parts(windows, policy, inputs.conditions.under(settings.budget))
    arms = with_variant(priced.collect(engine="in-memory"), settings)
    brake = brake_of(inputs.conditions, settings.brake)
    closed = pl.concat([closed_times(inputs.mails, settings, brake), expiries(inputs.questions)])
    instants = valued_instants(arms, inputs.curves, closed, settings=settings, valuation=valuation)
    arms = with_best_instants(arms, instants, brake)
    arms = with_evidence(arms, policy, is_own=valuation is OWN)
    arms, chosen = with_choice(arms, draws_of(inputs.questions, policy, inputs.conditions), policy)
    arms = with_all_that_shut(arms, chosen.get_column("arm"), closed, policy)
    return _decided(
        inputs.questions,
        candidates,
        arms,
        at_instant(with_hour(chosen, arms, instants, policy), instants)
        .lazy()
        .join(told_experiments(dealt), on="row", how="left", maintain_order="left"),
        settings=settings,
        default_zone=default_zone,
        currency=currency,
    )


def _decided(
    questions: pl.DataFrame,
    candidates: pl.DataFrame,
    arms: pl.DataFrame,
    chosen: pl.LazyFrame,
    *,
    settings: ServingSettings,
    default_zone: str,
    currency: str,
) -> pl.DataFrame:
    policy = settings.policy
    of_chosen = arms.lazy().select(OF_CHOSEN)
    top = first_per_row(arms.lazy(), "unconstrained_worth").select(
        "row",
        top_email="email",
        top_at="unconstrained_at",
        top_value="unconstrained_value",
        top_open_value="value",
        top_forbidden_by="forbidden_by",
        top_prices="prices",
        top_is_worth_it=(pl.col("unconstrained_worth") > 0) | pl.col("only_time"),
    )
    stood_back = first_per_row(arms.lazy().filter("stands_back"), "worth").select(
        "row", stood_back_email="email", stood_back_value="value"
    )
    is_send = pl.col("email").is_not_null()
    held_until = pl.col("send_at") + hours(pl.lit(policy.reservation_hours))
    waits_until = pl.col("as_of") + hours(pl.lit(policy.ask_again_hours))
    subject_prefix, list_unsubscribe = mail_law(pl.col("legal"), pl.col("mail_class"))
    decided = (
        questions.lazy()
        .select(*OF_QUESTION)
        .join(chosen, on="row", how="left", maintain_order="left")
        .join(of_chosen, on="arm", how="left", maintain_order="left")
        .join(top, on="row", how="left", maintain_order="left")
        .join(stood_back, on="row", how="left", maintain_order="left")
        .with_columns(
            action=pl.when(is_send).then(pl.lit("send")).otherwise(pl.lit("wait")),
            subject_prefix=subject_prefix,
            list_unsubscribe=list_unsubscribe.fill_null(False),
            valid_until=pl.when(is_send)
            .then(pl.min_horizontal("ends_at", held_until))
            .otherwise(waits_until),
            unconstrained_best=pl.when("top_is_worth_it").then(
                pl.struct(email="top_email", send_at="top_at", value="top_value")
            ),
        )
        .collect(engine="in-memory")
        .lazy()
    )
    because = _because(
        decided, send_reasons(policy), wait_reasons(currency, policy), doubts(default_zone)
    )
    return (
        decided.join(because, on="row", how="left", maintain_order="left")
        .join(_receipts(candidates, arms), on="row", how="left", maintain_order="left")
        .with_columns(
            pl.col("because").fill_null(no_reasons()),
            pl.col("products").fill_null(pl.lit([], pl.List(pl.String))),
        )
        .collect(engine="in-memory")
    )


def _because(
    decided: pl.LazyFrame, of_send: Reasons, of_wait: Reasons, of_both: Reasons
) -> pl.LazyFrame:
    send = decided.filter(pl.col("action") == "send")
    wait = decided.filter(pl.col("action") == "wait")
    forbidden = (
        # Where chance decided, no rule did.
        wait.filter(pl.col("best_arm").is_null())
        .select("row", "top_forbidden_by")
        .explode("top_forbidden_by")
        .drop_nulls("top_forbidden_by")
        .select("row", pl.col("top_forbidden_by").struct.unnest())
    )
    # What forbids a customer any mail is told even where no e-mail applies.
    any_marketing = wait.filter(pl.col("top_email").is_null()).with_columns(
        mail_class=pl.lit(MARKETING)
    )
    anyhow = told(any_marketing, "row", FORBIDDING_CUSTOMERS)
    return listed(
        [
            told(send, "row", of_send),
            anyhow,
            forbidden,
            told(wait, "row", of_wait),
            told(decided, "row", of_both),
        ],
        "row",
        "because",
    )


def _receipts(candidates: pl.DataFrame, arms: pl.DataFrame) -> pl.LazyFrame:
    """`arms`: per row all arms as the receipt keeps them, also those that do not compete."""
    fields = [field.name for field in ARM.fields]
    competing = (
        arms.lazy()
        .with_columns(parts_at_best())
        .rename({"reason": "because", "lift": "hour_lift"})
        .select("row", "arm", *fields)
    )
    others = (
        candidates.lazy()
        .filter(~pl.col("considered"))
        .select(
            "row", "arm", "email", "applies", "learnt", propensity=pl.lit(0.0), hours=pl.lit(0),
            forbidden_by=no_reasons(), stands_back=pl.lit(False),
        )
    )  # fmt: skip
    return (
        pl.concat([competing, others], how="diagonal_relaxed")
        .sort("arm")
        .group_by("row", maintain_order=True)
        .agg(arms=pl.struct(fields))
    )
