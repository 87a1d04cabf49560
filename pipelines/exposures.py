"""Who came into an experiment when, and what they did after that: one entry per customer."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, time, timedelta

import numpy as np
import polars as pl

from features.acts import IS_ABOUT_EMAIL, IS_HUMAN
from features.bots import judged
from features.contracts import Products
from features.history import to_history
from features.lake import Lake
from pipelines.settings import Settings
from serving.assignment import shares_of
from serving.experiment_settings import EVERY_EMAIL, INCENTIVE, SEND_HOUR, ExperimentSettings
from serving.experiments import in_holdout
from training.experiment import Units

READ_KINDS = ("send", "deliver", "open", "click", "order", "refund")
MILLION = 1_000_000
ENTRY = ("customer_id", "arm", "learnt", "at")


def acts_of(
    lake: Lake, *, versions: Mapping[str, int], now: datetime, settings: Settings
) -> pl.DataFrame:
    """What happened as far as these versions of the lake's tables know it: HISTORY rows, machines
    judged, with `decision_id` and `variant`; an answer to a mail names its e-mail where the mail
    did.
    """
    events = (
        lake.scan("events", version=versions["events"])
        .filter(pl.col("kind").is_in(READ_KINDS), pl.col("known_at") <= now)
        .collect()
        .sort("at", "event_id")
    )
    products = (
        lake.read("products", version=versions["products"])
        if "products" in versions
        else Products.create_empty()
    )
    return acts_from(events, products, settings=settings)


def acts_from(events: pl.DataFrame, products: pl.DataFrame, *, settings: Settings) -> pl.DataFrame:
    """The same of EVENTS."""
    history = judged(to_history(events, products, settings=settings.features))
    acts = history.with_columns(events.select("decision_id", "variant").get_columns())
    of_message = (
        acts.filter(pl.col("kind") == "send")
        .drop_nulls("message_id")
        .unique(["customer_id", "message_id"], keep="first", maintain_order=True)
        .select("customer_id", "message_id", told_email="email")
    )
    return acts.join(
        of_message, on=["customer_id", "message_id"], how="left", maintain_order="left"
    ).with_columns(email=pl.coalesce("email", "told_email"))


def units_of(
    name: str,
    one: ExperimentSettings,
    exposures: pl.DataFrame,
    acts: pl.DataFrame,
    *,
    now: datetime,
    settings: Settings,
) -> Units:
    """The customers of an experiment whose outcome is known, in the order in which they came.

    `exposures` are those of the store. What the template shows (a subject, a picture) can move
    nobody before it is sent, and does not move what is sent: a customer comes in with the first
    mail. An hour or an incentive moves what is decided, so that those who are mailed differ by
    arm: there a customer comes in with the first decision in which the e-mail applied, sent or not.
    """
    of_it = exposures.filter(pl.col("experiment") == name, pl.col("arm").is_in(one.arms))
    if one.factor in (SEND_HOUR, INCENTIVE):
        concerns = pl.lit(one.email == EVERY_EMAIL) & (pl.col("applies").list.len() > 0)
        concerns |= pl.col("applies").list.contains(one.email)
        entries = of_it.filter(concerns).rename({"as_of": "at"})
    else:
        sends = acts.filter(pl.col("kind") == "send", *_about(one)).select(
            "customer_id", "decision_id", "at"
        )
        entries = sends.join(of_it.drop("email"), on=["customer_id", "decision_id"])
    shares_then = {
        learnt: list(shares_of(name, one, {name: json.loads(learnt)} if learnt else {}).values())
        for learnt in entries.get_column("learnt").unique()
    }
    return _units(entries, one, shares_then, acts, now=now, settings=settings)


def units_of_variants(
    email: str, one: ExperimentSettings, acts: pl.DataFrame, *, now: datetime, settings: Settings
) -> Units:
    """The same of the variants of an e-mail, as its sends name them."""
    sends = acts.filter(pl.col("kind") == "send", pl.col("email") == email)
    entries = sends.filter(pl.col("variant").is_in(one.arms)).select(
        "customer_id",
        "at",
        arm="variant",
        learnt=pl.lit(None, pl.String),
    )
    alike: dict[str | None, list[float]] = {None: list(one.fixed_shares.values())}
    return _units(entries, one, alike, acts, now=now, settings=settings)


def variants_as_experiment(settings: Settings, email: str, *, days: int) -> ExperimentSettings:
    """What the variants of an e-mail are an experiment in: customers are dealt them for good."""
    return ExperimentSettings(
        email=email, factor="content", arms=settings.emails[email].variants, split="fixed",
        shares=(1 / len(settings.emails[email].variants),) * len(settings.emails[email].variants),
        metric="click", started_on=datetime.min.date(), ends_on=datetime.max.date(),
        outcome_days=days, share=1.0, seed=settings.policy.seed,
    )  # fmt: skip


def money_of_customers(
    acts: pl.DataFrame,
    *,
    since: datetime,
    until: datetime,
    holdout_shares: Collection[float],
    settings: Settings,
) -> pl.DataFrame:
    """customer_id, `after` and `before`: margin between the two moments, and as long before.

    Of everybody who did or was sent anything before `since`; `treated`: not held out. Who was held
    out under one of the `holdout_shares` that were in force, and mailed under another, is neither.
    """
    span = until - since
    is_after = pl.col("at").is_between(since, until, closed="left")
    is_before = pl.col("at").is_between(since - span, since, closed="left")
    customers = acts.filter(pl.col("at") < since).select("customer_id").unique(maintain_order=True)
    always, ever = (
        in_holdout(
            customers.get_column("customer_id"),
            settings.policy.model_copy(update={"holdout_share": share}),
        )
        for share in (min(holdout_shares), max(holdout_shares))
    )
    customers = customers.with_columns(treated=~ever).filter(always == ever)
    return customers.join(
        _margins(acts, settings).group_by("customer_id").agg(
            after=_sum(pl.col("margin").filter(is_after)),
            before=_sum(pl.col("margin").filter(is_before)),
        ),
        on="customer_id", how="left", maintain_order="left",
    ).with_columns(pl.col("after", "before").fill_null(0.0))  # fmt: skip


def first_moment(one: ExperimentSettings) -> datetime:
    """When an experiment starts."""
    return datetime.combine(one.started_on, time(), UTC)


def _units(
    entries: pl.DataFrame,
    one: ExperimentSettings,
    shares_then: dict[str | None, list[float]],
    acts: pl.DataFrame,
    *,
    now: datetime,
    settings: Settings,
) -> Units:
    window = timedelta(days=one.outcome_days)
    newest: datetime | None = acts.get_column("known_at").max()  # type: ignore[assignment]
    known_until = min(now, newest) if newest else now
    came = (
        entries.select(ENTRY)
        .sort("at", "customer_id")
        .unique("customer_id", keep="first", maintain_order=True)
        .filter(pl.col("at") + window <= known_until)
    )
    answers = _answers(one, acts, settings)
    after = (
        came.select("customer_id", came_at="at")
        .join(answers, on="customer_id")
        .filter(pl.col("at") > pl.col("came_at"), pl.col("at") <= pl.col("came_at") + window)
        .group_by("customer_id")
        .agg(_sum(pl.col("what")))
    )
    found = came.join(after, on="customer_id", how="left", maintain_order="left")
    outcome = found.get_column("what").fill_null(0.0)
    if one.metric != "margin":
        outcome = (outcome > 0).cast(pl.Float64)
    places = {arm: place for place, arm in enumerate(one.arms)}
    arm = found.get_column("arm").replace_strict(places, return_dtype=pl.Int64).to_numpy()
    shares = np.array(
        [shares_then[learnt] for learnt in found.get_column("learnt")], dtype=np.float64
    ).reshape(len(found), len(one.arms))
    return Units(arm, outcome.to_numpy(), shares)


def _answers(one: ExperimentSettings, acts: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """customer_id, at and `what`: a click, an order, or money."""
    if one.metric == "click":
        clicks = acts.filter(pl.col("kind") == "click", IS_HUMAN, IS_ABOUT_EMAIL, *_about(one))
        return clicks.select("customer_id", "at", what=pl.lit(1.0))
    if one.metric == "order":
        orders = acts.filter(pl.col("kind") == "order")
        return orders.select("customer_id", "at", what=pl.lit(1.0))
    return _margins(acts, settings).rename({"margin": "what"})


def _margins(acts: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """What orders leave after discounts, less what refunds take back of it.

    Money of another currency is unknown, and counts as none.
    """
    paid, given = (pl.col(name).cast(pl.Float64).fill_null(0.0) for name in ("amount", "discount"))
    of_order = settings.policy.margin * (paid + given) - given
    of_refund = -settings.policy.margin * paid
    return acts.filter(pl.col("kind").is_in(["order", "refund"])).select(
        "customer_id",
        "at",
        margin=pl.when(pl.col("kind") == "order").then(of_order).otherwise(of_refund),
    )


def _sum(money: pl.Expr) -> pl.Expr:
    """The sum in whole millionths: a join may bring its rows in any order, and it must not tell."""
    return (money * MILLION).round(0).cast(pl.Int64).sum() / MILLION


def _about(one: ExperimentSettings) -> list[pl.Expr]:
    return [] if one.email == EVERY_EMAIL else [pl.col("email") == one.email]
