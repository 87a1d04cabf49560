"""What forbids an e-mail, whatever it would be worth.

A guardrail of the customer or of the arm forbids altogether. One of the instant (quiet hours,
frequency) forbids some instants; it forbids the arm where it leaves none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from serving.hours import hours
from serving.reasons import Reason
from serving.settings import PolicySettings, ServingSettings


@dataclass(frozen=True)
class Guardrail:
    """`forbids` and `because` (a sentence) read one row per arm."""

    name: str
    meaning: str
    forbids: pl.Expr
    because: pl.Expr

    @property
    def reason(self) -> Reason:
        """Whatever cannot be decided is forbidden."""
        return Reason(self.name, self.because, self.forbids.fill_null(True))


def _on(moment: str) -> pl.Expr:
    return pl.col(moment).dt.strftime("%Y-%m-%d")


# Written so that whatever is not a plain "granted" forbids: null, a new word, a missing row.
CONSENT = Guardrail(
    name="consent",
    meaning="they agreed to e-mail; whoever was never asked, or did not answer, gets none",
    forbids=(pl.col("email_consent") != "granted").fill_null(True),
    because=pl.when(pl.col("email_consent") == "denied")
    .then(pl.coalesce(pl.format("they said no to e-mail on {}", _on("consent_since")),
                      pl.lit("they said no to e-mail")))
    .otherwise(pl.lit("nobody knows that they agreed to e-mail")),
)  # fmt: skip

SUPPRESSION = Guardrail(
    name="suppression",
    meaning="they did not unsubscribe, complain or ask to be forgotten, and mail reaches them",
    forbids=pl.col("suppressed_by").is_not_null(),
    because=pl.format(
        "{} on {}",
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

OF_CUSTOMERS = (CONSENT, SUPPRESSION)
OF_ARMS = (SWITCHED_OFF, NO_PRODUCTS, RECENTLY_BOUGHT, TOO_LATE)

# Guardrails of the instant, by name; their sentences hold the merchant's own figures.
OF_INSTANTS: Mapping[str, str] = {
    "quiet_hours": "no mail leaves in the quiet hours of the customer's own clock",
    "cap_24h": "no more than the cap in any 24 hours, sent and promised mails together",
    "cap_7d": "no more than the cap in any 7 days",
    "cap_30d": "no more than the cap in any 30 days",
    "min_gap": "hours of peace between two e-mails",
    "repeat": "the same e-mail does not come again so soon",
}


GUARDRAILS: Mapping[str, str] = {
    **{rule.name: rule.meaning for rule in (*OF_CUSTOMERS, *OF_ARMS)},
    **OF_INSTANTS,
}


def quiet_reason(policy: PolicySettings) -> str:
    """The sentence of the quiet hours."""
    return (
        f"no mail leaves between {policy.quiet_from_hour}:00 and {policy.quiet_until_hour}:00 "
        "of their clock"
    )


def closed_times(mails: pl.DataFrame, settings: ServingSettings) -> pl.LazyFrame:
    """Open intervals of time in which one more e-mail would break a rule of frequency.

    `mails`: person, as_of, email, at of what was sent or promised. Comes back as person, forbids
    (an e-mail; null = any), code, text, closed_from, closed_until.
    """
    ordered = mails.lazy().sort("person", "at", "email")
    return pl.concat(_closed(ordered, rule) for rule in _frequency_rules(settings))


@dataclass(frozen=True)
class _FrequencyRule:
    """At most `count` e-mails lie within any `window`; it `forbids` one e-mail, or any (null)."""

    code: str
    count: int
    window: pl.Expr
    text: pl.Expr
    forbids: pl.Expr


def _closed(ordered: pl.LazyFrame, rule: _FrequencyRule) -> pl.LazyFrame:
    """Where `count` mails lie closer together than a window, one more must be a window away.

    From the last of them, or from the first: promised mails may lie ahead, so both sides count.
    """
    last = pl.col("at").shift(1 - rule.count).over("person") if rule.count > 1 else pl.col("at")
    return (
        ordered.with_columns(last=last, window=rule.window)
        .with_columns(
            closed_from=pl.col("last") - pl.col("window"),
            closed_until=pl.col("at") + pl.col("window"),
        )
        .filter(
            pl.col("last") - pl.col("at") < pl.col("window"),
            pl.col("closed_until") > pl.col("as_of"),
        )
        .select(
            "person", "closed_from", "closed_until",
            forbids=rule.forbids, code=pl.lit(rule.code), text=rule.text,
        )
    )  # fmt: skip


@lru_cache(maxsize=8)
def _frequency_rules(settings: ServingSettings) -> tuple[_FrequencyRule, ...]:
    policy, left = settings.policy, _when_it_leaves()
    again = pl.col("email").replace_strict(
        {name: email.repeat_days for name, email in settings.emails.items()},
        default=None,
        return_dtype=pl.Float64,
    )
    any_email = pl.lit(None, pl.String)
    caps = (
        ("cap_24h", policy.cap_24h, 1, "24 hours"),
        ("cap_7d", policy.cap_7d, 7, "7 days"),
        ("cap_30d", policy.cap_30d, 30, "30 days"),
    )
    return (
        *(
            _FrequencyRule(code, cap, pl.duration(days=days), _cap_text(cap, window), any_email)
            for code, cap, days, window in caps
        ),
        _FrequencyRule(
            code="min_gap",
            count=1,
            window=hours(pl.lit(policy.min_gap_hours)),
            text=pl.format(
                f"an e-mail {{}}, and {policy.min_gap_hours:g} hours of peace lie between two", left
            ),
            forbids=any_email,
        ),
        _FrequencyRule(
            code="repeat",
            count=1,
            window=hours(24 * again),
            text=pl.format("it {}, and comes again after {} days", left, again.cast(pl.Int64)),
            forbids=pl.col("email"),
        ),
    )


def _cap_text(cap: int, window: str) -> pl.Expr:
    mails = "1 e-mail" if cap == 1 else f"{cap} e-mails"
    return pl.lit(f"{mails} in {window} is the most, sent and promised together")


def _when_it_leaves() -> pl.Expr:
    """ "left 5 hours ago" or "is promised for in 3 hours"."""
    ago = (pl.col("as_of") - pl.col("at")).dt.total_seconds() / 3600
    return (
        pl.when(ago >= 48)
        .then(pl.format("left {} days ago", (ago / 24).floor().cast(pl.Int64)))
        .when(ago >= 0)
        .then(pl.format("left {} hours ago", ago.floor().cast(pl.Int64)))
        .otherwise(pl.format("is promised for in {} hours", (-ago).ceil().cast(pl.Int64)))
    )
