"""What forbids an e-mail, whatever it would be worth.

A guardrail of the customer or of the arm forbids altogether. One of the instant (quiet hours,
frequency) forbids some instants; it forbids the arm where it leaves none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import polars as pl

from serving.brake import Brake
from serving.budgets import SPENT
from serving.frequency import FREQUENCY
from serving.guardrail_settings import DAYS, MARKETING, TRANSACTIONAL
from serving.reasons import Reason, Reasons
from serving.settings import PolicySettings


@dataclass(frozen=True, eq=False)
class Guardrail:
    """`forbids` and `because` (a sentence) read one row per arm."""

    name: str
    meaning: str
    forbids: pl.Expr
    because: pl.Expr

    @cached_property
    def reason(self) -> Reason:
        """Whatever cannot be decided is forbidden."""
        return Reason(self.name, self.because, self.forbids.fill_null(True))


def _on(moment: str) -> pl.Expr:
    """The day of a permission: an act counts, and is dated, from when it became known."""
    return pl.col(moment).dt.strftime("%Y-%m-%d")


IS_TRANSACTIONAL = pl.col("mail_class") == TRANSACTIONAL

# Written so that whatever is not a plain "granted" forbids: null, a new word, a missing row.
CONSENT = Guardrail(
    name="consent",
    meaning="they agreed to e-mail; whoever was never asked, or did not answer, gets none but "
    "transactional ones",
    forbids=(pl.col("email_consent") != "granted").fill_null(True) & ~IS_TRANSACTIONAL,
    because=pl.when(pl.col("email_consent") == "denied")
    .then(pl.coalesce(
        pl.format("they said no to e-mail, as we learned on {}", _on("consent_since")),
        pl.lit("they said no to e-mail"),
    ))
    .otherwise(pl.lit("nobody knows that they agreed to e-mail")),
)  # fmt: skip

SUPPRESSION = Guardrail(
    name="suppression",
    meaning="they did not unsubscribe, complain or ask to be forgotten, and mail reaches them; "
    "after the first two transactional e-mails still go",
    forbids=pl.col("suppressed_by").is_not_null()
    & ~(IS_TRANSACTIONAL & pl.col("suppressed_by").is_in(["unsubscribe", "complaint"])),
    because=pl.format(
        "{}, as we learned on {}",
        pl.col("suppressed_by").replace_strict(
            {
                "unsubscribe": "they unsubscribed",
                "complaint": "they reported our mail as spam",
                "bounce": "our mail came back for good",
                "erase": "they asked to be forgotten",
            },
            default="they were suppressed",
        ),
        pl.coalesce(_on("suppressed_at"), pl.lit("an unknown day")),
    ),
)

SUNSET = Guardrail(
    name="sunset",
    meaning="they did not stay silent after the last step of a workflow; until they do something, "
    "no marketing leaves",
    forbids=pl.col("sunset").fill_null(True) & (pl.col("mail_class") == MARKETING).fill_null(True),
    because=pl.format(
        "they have done nothing in the {} days since {}, the last step of {}; no marketing leaves "
        "until they do",
        pl.col("sunset_days").floor().cast(pl.Int64),
        "sunset_email",
        "sunset_by",
    ),
)

SWITCHED_OFF = Guardrail(
    name="switched_off",
    meaning="the e-mail is enabled in onje.toml",
    forbids=~pl.col("enabled"),
    because=pl.format("{} is switched off in onje.toml", "email"),
)

NO_PRODUCTS = Guardrail(
    name="no_products",
    meaning="an e-mail that shows products has at least one that is on the shelf",
    forbids=(pl.col("show") > 0) & (pl.col("fitting") == 0),
    because=pl.lit("no product that fits it is available"),
)

RECENTLY_BOUGHT = Guardrail(
    name="recently_bought",
    meaning="nothing is offered that they bought lately, unless it is due again",
    forbids=(pl.col("show") > 0) & (pl.col("fitting") > 0) & (pl.col("products").list.len() == 0),
    because=pl.format("all {} products that fit it were bought lately", "fitting"),
)

TOO_LATE = Guardrail(
    name="too_late",
    meaning="its deadline, or the one that was asked for, has not passed",
    forbids=pl.col("starts_at") > pl.col("ends_at"),
    because=pl.format(
        "it would be worth nothing after {} UTC", pl.col("ends_at").dt.strftime("%Y-%m-%d %H:%M")
    ),
)

OF_CUSTOMERS = (CONSENT, SUPPRESSION, SUNSET)
OF_ARMS = (SWITCHED_OFF, NO_PRODUCTS, RECENTLY_BOUGHT, TOO_LATE)

# Guardrails of the instant, by name; their sentences hold the merchant's own figures.
OF_INSTANTS: Mapping[str, str] = {
    "quiet_hours": "no mail leaves in the quiet hours of the customer's own clock, a choice of "
    "the merchant's",
    "allowed_days": "mail leaves on the merchant's days of the customer's own calendar",
    "consent_expired": "where the law wants consent confirmed anew, no marketing leaves once that "
    "is overdue",
    **FREQUENCY,
    SPENT[0]: SPENT[1],
}
COMPLAINT_BRAKE = (
    "complaint_brake",
    "no marketing leaves while too many customers report mail as spam; before, its caps are halved",
)


GUARDRAILS: Mapping[str, str] = {
    **{rule.name: rule.meaning for rule in (*OF_CUSTOMERS, *OF_ARMS)},
    COMPLAINT_BRAKE[0]: COMPLAINT_BRAKE[1],
    **OF_INSTANTS,
}


@lru_cache(maxsize=8)
def braked(brake: Brake) -> Guardrail:
    """Of the arm: whether complaints stop it."""
    is_marketing = (pl.col("mail_class") == MARKETING).fill_null(True)
    return Guardrail(
        *COMPLAINT_BRAKE,
        forbids=is_marketing & (brake.state == "stopped"),
        because=pl.lit(f"no marketing leaves: {brake.because}"),
    )


@lru_cache(maxsize=8)
def clock_rules(policy: PolicySettings) -> Reasons:
    """What shuts an instant by the customer's own clock; of several the first is told."""
    weekday = pl.col("local_at").dt.weekday()
    allowed = [DAYS.index(day) + 1 for day in policy.allowed_days]
    days = ", ".join(day for day in DAYS if day in policy.allowed_days)
    rules = (
        Reason(
            "quiet_hours", pl.lit(quiet_reason(policy)), pl.col("hour").is_in(policy.quiet_hours)
        ),
        Reason(
            "allowed_days",
            pl.lit(f"mail leaves only on {days} of their calendar"),
            ~weekday.is_in(allowed),
        ),
    )
    return tuple(
        Reason(rule.code, rule.text, rule.when.fill_null(True) & ~IS_TRANSACTIONAL.fill_null(False))
        for rule in rules
    )


def quiet_reason(policy: PolicySettings) -> str:
    """The sentence of the quiet hours."""
    return (
        f"no mail leaves between {policy.quiet_from_hour}:00 and {policy.quiet_until_hour}:00 "
        "of their clock"
    )
