"""Which e-mails of the catalogue apply to a customer now, each with its reason and its figures."""

from __future__ import annotations

from functools import lru_cache

import polars as pl

from serving.settings import EmailSettings, ServingSettings
from serving.triggers import TRIGGERS

# What guardrails, worth and reasons read of a question; the rest was for the triggers.
CARRIED = (
    "row", "person", "customer_id", "as_of", "earliest", "deadline", "emails", "timezone",
    "spread", "email_consent", "consent_since", "suppressed_by", "suppressed_at",
    "churn", "favourite_category", "basket_value", "spend_365d", "sends_7d",
)  # fmt: skip

# What models may say of an arm instead of the merchant, see serving.responses; null where none did.
LEARNT = (
    "learnt_clicks", "learnt_orders", "learnt_brings", "learnt_redeemed", "learnt_unsubscribes",
)  # fmt: skip


def candidates_of(questions: pl.DataFrame, settings: ServingSettings) -> pl.DataFrame:
    """One row per question and e-mail asked about, in the catalogue's order.

    `considered` is what competes: an e-mail that applies, or the one of a pure question of time.
    """
    asked = pl.col("emails").is_null() | pl.col("emails").list.contains(pl.col("email"))
    known = questions.lazy()
    return (
        pl.concat(known.select("row", *arm) for arm in _arms(settings))
        .join(known.select(CARRIED), on="row", how="left", maintain_order="left")
        .join(_catalogue(settings).lazy(), on="place", how="left", maintain_order="left")
        .filter(asked)
        .sort("row", "place")
        .with_columns(only_time=asks_only_for_time())
        .with_columns(considered=pl.col("applies") | pl.col("only_time"))
        .with_row_index("arm")
        .collect(engine="in-memory")
    )


@lru_cache(maxsize=8)
def _arms(settings: ServingSettings) -> list[tuple[pl.Expr, ...]]:
    """The columns of each e-mail's arm; kept, for writing them out takes longer than running."""
    return [_arm(place, email) for place, email in enumerate(settings.emails.values())]


def _arm(place: int, email: EmailSettings) -> tuple[pl.Expr, ...]:
    trigger = TRIGGERS[email.trigger]
    applies = trigger.applies(email.parameters).fill_null(False)
    return (
        pl.lit(place, pl.UInt32).alias("place"),
        applies.alias("applies"),
        pl.when(applies).then(trigger.because(email.parameters)).alias("reason"),
        pl.when(applies).then(trigger.since_hours).alias("since_hours"),
    )


def asks_only_for_time() -> pl.Expr:
    """Of a question: exactly one e-mail is named, so whether it goes is decided already."""
    return (pl.col("emails").list.n_unique() == 1).fill_null(False)


@lru_cache(maxsize=8)
def _catalogue(settings: ServingSettings) -> pl.DataFrame:
    """One row per e-mail: its figures."""
    emails = settings.emails
    figures = {
        "delay_hours": pl.Float64, "deadline_hours": pl.Float64, "half_life_hours": pl.Float64,
        "click_rate": pl.Float64, "orders_per_click": pl.Float64, "bought_anyway": pl.Float64,
        "unsubscribe_rate": pl.Float64, "discount_share": pl.Float64, "send_cost": pl.Float64,
        "show": pl.Int64, "enabled": pl.Boolean, "at_once": pl.Boolean,
        "coupon": pl.String, "tone": pl.String,
    }  # fmt: skip
    nobody_learnt = [pl.lit(None, pl.Float64).alias(name) for name in LEARNT]
    settings_of = {"discount_share": "discount", "show": "products"}
    columns = {
        name: [getattr(email, settings_of.get(name, name)) for email in emails.values()]
        for name in figures
    }
    return pl.DataFrame(
        {
            "place": range(len(emails)),
            "email": list(emails),
            "trigger": [email.trigger for email in emails.values()],
            "picks": [TRIGGERS[email.trigger].picks for email in emails.values()],
            **columns,
        },
        schema={
            "place": pl.UInt32, "email": pl.String, "trigger": pl.String, "picks": pl.String,
            **figures,
        },
    ).with_columns(*nobody_learnt, learnt=pl.lit([], pl.List(pl.String)))  # fmt: skip
