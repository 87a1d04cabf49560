"""What the plans of a night use of the budgets, and the cut where they use too much."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipelines.prices import COUNTED, Prices
from serving.guardrail_settings import TRANSACTIONAL
from serving.settings import ServingSettings
from serving.tables import REASON

# What a wait does not have.
OF_SENDS = (
    "email", "variant", "by", "send_at", "local_send_at", "slots", "value", "hour_propensity",
    "hour_source", "workflow",
)  # fmt: skip
# Told of any answer, so they stay; see serving.reasons.doubts.
DOUBTS = ("unknown_customer", "unknown_zone", "degraded")
# Why a plan is to wait although it was worth sending; {} is the budget.
CUT = "the {} of this night are used up by e-mails that are worth more"
# A sum of chances is no more exact than this.
ROUNDING = 1e-9


def uses_of_arms(decisions: pl.DataFrame, settings: ServingSettings) -> pl.DataFrame:
    """What may go to whom, chance and holdout aside, as pipelines.prices reads it.

    One row per e-mail with an open instant that does not stand back: customer_id, value, mails,
    coupons, unsubscribes.
    """
    chosen_by_worth = ~pl.col("holdout") & ~pl.col("explored_email")
    arms = (
        decisions.filter(chosen_by_worth)
        .select("customer_id", "arms")
        .explode("arms")
        .unnest("arms")
        .filter(
            pl.col("value").is_not_null(),
            pl.col("forbidden_by").list.len() == 0,
            ~pl.col("stands_back"),
            _is_counted(settings),
        )
    )
    return _with_uses(arms).select("customer_id", "value", *COUNTED)


def used_by(decisions: pl.DataFrame, settings: ServingSettings) -> pl.DataFrame:
    """The e-mails that `decisions` send: customer_id, explored_email, value, and what each uses."""
    sends = decisions.filter(pl.col("action") == "send", _is_counted(settings))
    chosen = (
        sends.select("customer_id", "email", "explored_email", "value", "arms")
        .explode("arms")
        .filter(pl.col("arms").struct.field("email") == pl.col("email"))
        .select("customer_id", "explored_email", "value", pl.col("arms").struct.field(*_OF_ARM))
    )
    return _with_uses(chosen).select("customer_id", "explored_email", "value", *COUNTED)


def total(uses: pl.DataFrame, name: str) -> float:
    return float(uses.get_column(name).sum())


def within(
    decisions: pl.DataFrame, limits: Mapping[str, float], settings: ServingSettings
) -> pl.DataFrame:
    """The decisions, less those that pass a limit: the least worth become a wait.

    Prices keep a budget but for ties and for what chance chose; of the latter, none goes before
    the others.
    """
    left = used_by(decisions, settings).sort(
        "explored_email", "value", "customer_id", descending=[False, False, False]
    )
    dropped: dict[str, str] = {}
    for name, limit in limits.items():
        over = total(left, name) - limit
        if over <= ROUNDING:
            continue
        users = left.filter(pl.col(name) > 0)
        freed = users.get_column(name).cum_sum()
        count = int((freed < over - ROUNDING).sum()) + 1
        gone = users.head(count).get_column("customer_id")
        dropped |= dict.fromkeys(gone, name)
        left = left.filter(~pl.col("customer_id").is_in(gone.implode()))
    return with_waits(decisions, dropped, settings) if dropped else decisions


def budget_told(
    decisions: pl.DataFrame, limits: Mapping[str, float], prices: Prices, settings: ServingSettings
) -> list[dict[str, float | str]]:
    """Of each budget: `of` what it is, `limit`, `used` and `price`, for people and machines."""
    used = used_by(decisions, settings)
    return [
        {
            "of": name,
            "limit": round(limit, 6),
            "used": round(total(used, name), 6),
            "price": float(getattr(prices, COUNTED[name])),
        }
        for name, limit in limits.items()
    ]


_OF_ARM = ("gives_away", "unsubscribes")


def _is_counted(settings: ServingSettings) -> pl.Expr:
    """Transactional e-mail is owed: no budget holds it back, and it uses none."""
    owed = [name for name, one in settings.emails.items() if one.mail_class == TRANSACTIONAL]
    return ~pl.col("email").is_in(owed)


def _with_uses(arms: pl.DataFrame) -> pl.DataFrame:
    return arms.with_columns(
        mails=pl.lit(1.0),
        coupons=pl.col("gives_away").cast(pl.Float64),
        unsubscribes="unsubscribes",
    )


def with_waits(
    decisions: pl.DataFrame, dropped: Mapping[str, str], settings: ServingSettings
) -> pl.DataFrame:
    """Turn the decisions for those customers into a wait for that budget."""
    budget_of = pl.DataFrame(
        {"customer_id": list(dropped), "budget": list(dropped.values())},
        schema={"customer_id": pl.String, "budget": pl.String},
    )
    of_wait = decisions.join(budget_of, on="customer_id", how="inner", maintain_order="left")
    because = pl.struct(
        code=pl.lit("budget"),
        text=pl.format(CUT, "budget"),
    )
    doubts = pl.col("because").list.filter(pl.element().struct.field("code").is_in(DOUBTS))
    waits = pl.duration(hours=settings.policy.ask_again_hours)
    # What was the e-mail's share is that of none, and the other way round.
    arms = (
        of_wait.select("customer_id", "arms", sent="email", of_wait="wait_propensity")
        .explode("arms")
        .with_columns(
            arms=pl.col("arms").struct.with_fields(
                propensity=pl.when(pl.col("arms").struct.field("email") == pl.col("sent"))
                .then("of_wait")
                .otherwise(pl.col("arms").struct.field("propensity"))
            )
        )
        .group_by("customer_id", maintain_order=True)
        .agg("arms")
    )
    cut = (
        of_wait.drop("arms")
        .join(arms, on="customer_id", how="left", maintain_order="left")
        .with_columns(
            *(pl.lit(None, decisions.schema[name]).alias(name) for name in OF_SENDS),
            action=pl.lit("wait"),
            products=pl.lit([], pl.List(pl.String)),
            moved_by=pl.lit([], pl.List(REASON)),
            because=pl.concat_list(pl.concat_list(because).cast(pl.List(REASON)), doubts),
            wait_propensity="email_propensity",
            propensity="email_propensity",
            explored_hour=pl.lit(False),
            valid_until=pl.col("as_of") + waits,
        )
        .select(decisions.columns)
    )
    kept = decisions.filter(~pl.col("customer_id").is_in(list(dropped)))
    return pl.concat([kept, cut]).sort("customer_id")
