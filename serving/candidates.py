"""Which e-mails of the catalogue apply to a customer now, each with its reason and its figures."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from serving.settings import EmailSettings
from serving.triggers import TRIGGERS

# What guardrails, worth and reasons read of a question; the rest was for the triggers.
CARRIED = (
    "row", "person", "customer_id", "as_of", "earliest", "deadline", "emails", "timezone",
    "spread", "segment", "email_consent", "consent_since", "suppressed_by", "suppressed_at",
    "churn", "basket_value", "spend_365d", "sends_7d",
)  # fmt: skip


def candidates_of(questions: pl.DataFrame, emails: Mapping[str, EmailSettings]) -> pl.DataFrame:
    """One row per question and e-mail asked about, in the catalogue's order.

    `considered` is what competes: an e-mail that applies, or the one of a pure question of time.
    """
    arms = pl.concat_list(_arm(place, email) for place, email in enumerate(emails.values()))
    asked = pl.col("emails").is_null() | pl.col("emails").list.contains(pl.col("email"))
    return (
        questions.select(*CARRIED, candidate=arms, only_time=_asks_only_for_time())
        .explode("candidate")
        .unnest("candidate")
        .join(_catalogue(emails), on="place", how="left", maintain_order="left")
        .filter(asked)
        .with_columns(considered=pl.col("applies") | pl.col("only_time"))
        .with_row_index("arm")
    )


def _arm(place: int, email: EmailSettings) -> pl.Expr:
    trigger = TRIGGERS[email.trigger]
    applies = trigger.applies(email.parameters).fill_null(False)
    return pl.struct(
        place=pl.lit(place, pl.UInt32),
        applies=applies,
        reason=pl.when(applies).then(trigger.because(email.parameters)),
        since_hours=pl.when(applies).then(trigger.since_hours),
    )


def _asks_only_for_time() -> pl.Expr:
    return (pl.col("emails").list.n_unique() == 1).fill_null(False)


def _catalogue(emails: Mapping[str, EmailSettings]) -> pl.DataFrame:
    figures = {
        "delay_hours": pl.Float64, "deadline_hours": pl.Float64, "half_life_hours": pl.Float64,
        "click_rate": pl.Float64, "orders_per_click": pl.Float64, "bought_anyway": pl.Float64,
        "unsubscribe_rate": pl.Float64, "discount_share": pl.Float64, "send_cost": pl.Float64,
        "show": pl.Int64, "enabled": pl.Boolean, "at_once": pl.Boolean,
        "coupon": pl.String, "tone": pl.String,
    }  # fmt: skip
    settings_of = {"discount_share": "discount", "show": "products"}
    columns = {
        name: [getattr(email, settings_of.get(name, name)) for email in emails.values()]
        for name in figures
    }
    return pl.DataFrame(
        {
            "place": range(len(emails)),
            "email": list(emails),
            "picks": [TRIGGERS[email.trigger].picks for email in emails.values()],
            **columns,
        },
        schema={"place": pl.UInt32, "email": pl.String, "picks": pl.String, **figures},
    )
