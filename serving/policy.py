"""The middle of a decision: frames in, one e-mail at one instant or none per question out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from serving.assignment import assigned, experiments_of, with_arms_of_experiments
from serving.brake import brake_of
from serving.budgets import spent_times
from serving.conditions import Conditions
from serving.evidence import with_evidence
from serving.experiments import (
    Choice,
    Draws,
    Hour,
    choice_of,
    draws_of,
    first_of_each,
    hour_of,
    with_variant,
)
from serving.frequency import closed_times
from serving.guardrail_settings import MARKETING
from serving.hours import Numbers, hours, with_window
from serving.instants import (
    FORBIDDING_CUSTOMERS,
    TOLD,
    Instants,
    told_at,
    valued_instants,
    with_best_instants,
)
from serving.law import expiries, mail_law
from serving.moved import all_that_shut
from serving.products import with_products
from serving.reasons import (
    Reasons,
    doubts,
    listed,
    lists_of,
    no_reasons,
    send_reasons,
    told_of_some,
    wait_reasons,
)
from serving.settings import PolicySettings, ServingSettings
from serving.tables import ARM
from serving.valuation import OWN, Valuation
from serving.value import parts_at_best, with_parts
from serving.whose import NOBODY, gathered, only
from serving.workflow_steps import OF_SUNSET

# What an answer reads of the question, and of the arm that is chosen.
OF_QUESTION = (
    "row", "as_of", "known_customer", "timezone_known", "degraded", "missing_models",
    "hour_evidence", "email_consent", "consent_since", "suppressed_by", "suppressed_at",
    "legal", *OF_SUNSET,
)  # fmt: skip
OF_CHOSEN = (
    "arm", "email", "mail_class", "variant", "ends_at", "products", "picks", "coupon", "tone",
    "discount_share", "reason", "applies", "only_time", "elements",
    "workflow", "is_step", "about", "by", "unconstrained_local_at",
)  # fmt: skip

# Of the best arm if no guardrail stood.
OF_TOP = {
    "email": "top_email", "unconstrained_at": "top_at", "unconstrained_value": "top_value",
    "value": "top_open_value", "forbidden_by": "top_forbidden_by", "prices": "top_prices",
}  # fmt: skip
# An arm as the receipt keeps it: what has another name here is renamed.
_NAMES = {"because": "reason", "hour_lift": "lift"}
OF_RECEIPT = tuple(pl.col(_NAMES.get(f.name, f.name)).alias(f.name) for f in ARM.fields)
PARTS_AT_BEST = tuple(parts_at_best())


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
    questions = inputs.questions
    dealt = assigned(questions, settings, inputs.conditions)
    candidates = with_arms_of_experiments(inputs.candidates, dealt)
    windows = with_products(with_window(candidates.filter("considered")), inputs.picks)
    priced = with_parts(windows, policy, inputs.conditions.under(settings.budget))
    arms = with_variant(priced, settings)
    question = np.searchsorted(
        questions.get_column("row").to_numpy(), arms.get_column("row").to_numpy()
    )
    brake = brake_of(inputs.conditions, settings.brake)
    closed = pl.concat(
        [
            closed_times(inputs.mails, settings, brake),
            expiries(questions),
            spent_times(questions, inputs.conditions.used, settings, default_zone),
        ]
    )
    instants = valued_instants(arms, inputs.curves, closed, settings=settings, valuation=valuation)
    arms = with_best_instants(arms, instants, brake)
    arms = with_evidence(arms, policy, is_own=valuation is OWN)
    draws = draws_of(questions, policy, inputs.conditions)
    choice = choice_of(arms, question, draws, policy)
    hour = hour_of(choice, arms, instants, draws, policy)
    arms = arms.hstack([pl.Series("propensity", choice.propensity_of_arms)])
    moved = all_that_shut(choice.arm, arms, instants, closed, settings)
    found = _told_of_questions(questions, arms, question, draws, choice, hour, instants)
    decided = _decided(
        found.hstack([moved]), settings, default_zone=default_zone, currency=currency
    )
    return decided.hstack(
        [experiments_of(dealt, questions), _receipts(candidates, arms, questions)]
    )


def _told_of_questions(
    questions: pl.DataFrame,
    arms: pl.DataFrame,
    question: Numbers,
    draws: Draws,
    choice: Choice,
    hour: Hour,
    instants: Instants,
) -> pl.DataFrame:
    """What answers and their reasons read: of the question, of what is chosen, of the best."""
    count = questions.height
    everything = np.ones(arms.height, dtype=np.bool_)
    unconstrained, worth = (
        arms.get_column(name).to_numpy() for name in ("unconstrained_worth", "worth")
    )
    top = first_of_each(arms, question, unconstrained, everything, count)
    standing_back = arms.get_column("stands_back").to_numpy()
    stood_back = first_of_each(arms, question, worth, standing_back, count)
    of_arms = only(arms, OF_CHOSEN)
    of_top = arms.select(
        *(pl.col(name).alias(told) for name, told in OF_TOP.items()),
        top_is_worth_it=(pl.col("unconstrained_worth") > 0) | pl.col("only_time"),
    )
    of_others = arms.select(stood_back_email="email", stood_back_value="value")
    best_arm = gathered(arms.select(best_arm="arm"), choice.best)
    return only(questions, OF_QUESTION).hstack(
        [
            pl.Series("holdout", choice.holdout),
            pl.Series("explored_email", choice.explored_email),
            pl.Series("explored_hour", hour.explored),
            pl.Series("explore_share", draws.explore_share),
            pl.Series("email_propensity", choice.email_propensity),
            pl.Series("wait_propensity", choice.wait_propensity),
            hour.propensity.alias("hour_propensity"),
            pl.Series(
                "propensity",
                choice.email_propensity * hour.propensity.fill_null(1.0).to_numpy(),
            ),
            *best_arm.get_columns(),
            *told_at(hour.instant, instants, TOLD),
            *gathered(of_arms, choice.arm).get_columns(),
            *gathered(of_top, top).get_columns(),
            *gathered(of_others, stood_back).get_columns(),
        ]
    )


def _decided(
    told: pl.DataFrame, settings: ServingSettings, *, default_zone: str, currency: str
) -> pl.DataFrame:
    """What is `told` of each question, with the action and the reasons for it."""
    policy = settings.policy
    decided = told.with_columns(_answers(policy))
    because = _because(
        decided, send_reasons(policy), wait_reasons(currency, policy), doubts(default_zone)
    )
    rows = np.arange(decided.height)
    return decided.with_columns(
        pl.col("products").fill_null(_NOTHING),
        lists_of(because, "question", rows).alias("because"),
    )


_NOTHING = pl.lit([], pl.List(pl.String))


@lru_cache(maxsize=8)
def _answers(policy: PolicySettings) -> list[pl.Expr]:
    is_send = pl.col("email").is_not_null()
    held_until = pl.col("send_at") + hours(pl.lit(policy.reservation_hours))
    waits_until = pl.col("as_of") + hours(pl.lit(policy.ask_again_hours))
    subject_prefix, list_unsubscribe = mail_law(pl.col("legal"), pl.col("mail_class"))
    best = pl.struct(email="top_email", send_at="top_at", value="top_value")
    return [
        pl.when(is_send).then(pl.lit("send")).otherwise(pl.lit("wait")).alias("action"),
        subject_prefix.alias("subject_prefix"),
        list_unsubscribe.fill_null(False).alias("list_unsubscribe"),
        pl.when(is_send)
        .then(pl.min_horizontal("ends_at", held_until))
        .otherwise(waits_until)
        .alias("valid_until"),
        pl.when("top_is_worth_it").then(best).alias("unconstrained_best"),
    ]


def _because(
    decided: pl.DataFrame, of_send: Reasons, of_wait: Reasons, of_both: Reasons
) -> pl.DataFrame:
    is_send = (decided.get_column("action") == "send").to_numpy()
    best, top, forbidden_by = (
        decided.get_column(name) for name in ("best_arm", "top_email", "top_forbidden_by")
    )
    # What forbids a customer any mail is told even where no e-mail applies.
    any_marketing = decided.get_column("mail_class").fill_null(MARKETING)
    numbered = decided.with_columns(any_marketing).with_row_index("question")
    of_sent, of_any, of_waiting, of_all = told_of_some(
        numbered,
        "question",
        [
            (is_send, of_send),
            (~is_send & top.is_null().to_numpy(), FORBIDDING_CUSTOMERS),
            (~is_send, of_wait),
            (np.ones(len(is_send), dtype=np.bool_), of_both),
        ],
    )
    # Where chance decided, no rule did.
    is_forbidden = (forbidden_by.list.len() > 0).fill_null(False).to_numpy()
    ruled = np.flatnonzero(~is_send & best.is_null().to_numpy() & is_forbidden)
    forbidden = of_any.clear()
    if len(ruled):
        by_rules = only(numbered, ("question", "top_forbidden_by"))[ruled]
        rows = by_rules.explode("top_forbidden_by")
        forbidden = rows.select("question", pl.col("top_forbidden_by").struct.unnest())
    return listed([of_sent, of_any, forbidden, of_waiting, of_all], "question", "because")


def _receipts(candidates: pl.DataFrame, arms: pl.DataFrame, questions: pl.DataFrame) -> pl.Series:
    """`arms`: of each question all arms as the receipt keeps them, also those out of competition.

    Null where it asks about none.
    """
    competing = arms.with_columns(PARTS_AT_BEST).select(OF_RECEIPT)
    place = np.full(candidates.height, NOBODY)
    place[arms.get_column("arm").to_numpy()] = np.arange(arms.height)
    # What is known of all arms, and what holds of those that do not compete.
    told = gathered(competing, place).with_columns(
        *only(candidates, ("email", "applies", "learnt")).get_columns(),
        pl.col("propensity").fill_null(0.0),
        pl.col("hours").fill_null(0),
        pl.col("forbidden_by").fill_null(no_reasons()),
        pl.col("stands_back").fill_null(False),
    )
    lists = (
        pl.DataFrame([candidates.get_column("row"), told.to_struct("arms")])
        .group_by("row", maintain_order=True)
        .agg("arms")
    )
    return (
        lists.get_column("arms") if lists.height == questions.height else _aligned(lists, questions)
    )


def _aligned(lists: pl.DataFrame, questions: pl.DataFrame) -> pl.Series:
    rows = questions.get_column("row").to_numpy()
    place = np.full(len(rows), NOBODY)
    place[np.searchsorted(rows, lists.get_column("row").to_numpy())] = np.arange(lists.height)
    return gathered(only(lists, ["arms"]), place).get_column("arms")
