"""Why this e-mail at this minute, or why none: a code for machines, a sentence for people."""

from __future__ import annotations

import polars as pl

from serving.settings import PolicySettings

WHOSE_HOURS = {
    "customer": "by their own hours",
    "segment": "by the hours of customers like them",
    "everyone": "by everyone's hours",
    "default": "for want of known hours",
}


def reason(code: str, text: pl.Expr, *, when: pl.Expr) -> pl.Expr:
    """{code, text} where `when` holds, else null."""
    return pl.when(when.fill_null(False)).then(pl.struct(code=pl.lit(code), text=text))


def send_reasons(policy: PolicySettings) -> pl.Expr:
    """List of reasons of the chosen arm; `top_...` is the best arm if no guardrail stood."""
    was_better = pl.col("top_is_worth_it") & (pl.col("top_email") != pl.col("email"))
    moved_by = pl.col("moved_by").struct
    why_not = pl.col("top_forbidden_by").list.first().struct.field("text")
    hour = _hour_text(policy)
    reasons = [
        reason("applies", pl.col("reason"), when=pl.col("applies")),
        reason(
            "only_time",
            pl.format("{} was asked for, and only its time was to be found", "email"),
            when=pl.col("only_time"),
        ),
        reason("now", pl.format("at once: {}", hour), when=pl.col("leaves_now")),
        reason("hour", hour, when=~pl.col("leaves_now")),
        pl.when(pl.col("moved_by").is_not_null()).then(
            pl.struct(
                code=moved_by.field("code"),
                text=pl.format("a better minute was shut: {}", moved_by.field("text")),
            )
        ),
        reason(
            "instead_of",
            pl.format("{} would have been worth more, but {}", "top_email", why_not),
            when=was_better & (pl.col("top_forbidden_by").list.len() > 0),
        ),
    ]
    return pl.concat_list(reasons)


def wait_reasons(*, currency: str) -> pl.Expr:
    """List of reasons: what forbade the best e-mail, or that none applies, or none is worth it."""
    none_applies = pl.col("top_email").is_null()
    forbidden_by = pl.when(none_applies).then("customer_reasons").otherwise("top_forbidden_by")
    is_free = ~none_applies & (pl.col("top_forbidden_by").list.len() == 0)
    # Where a guardrail left the best e-mail only a worse minute, that minute's value decides.
    value = pl.coalesce("top_open_value", "top_value")
    lost = pl.format(f"{{}}, the best e-mail, would be worth {{}} {currency}", "top_email", value)
    return pl.concat_list(
        forbidden_by,
        pl.concat_list(
            reason("nothing_applies", pl.lit("no e-mail applies to them now"), when=none_applies),
            reason("not_worth_it", lost, when=is_free | ~pl.col("top_is_worth_it")),
        ),
    )


def question_reasons(*, default_zone: str) -> list[pl.Expr]:
    """What was not known when deciding; part of every answer, whatever it is."""
    return [
        reason(
            "unknown_customer",
            pl.lit("nothing is known of them; the answer is that for anybody"),
            when=~pl.col("known_customer"),
        ),
        reason(
            "unknown_zone",
            pl.lit(f"their time zone is unknown; {default_zone} is assumed"),
            when=~pl.col("timezone_known"),
        ),
        reason(
            "degraded",
            pl.format(
                "no model yet for {}; rules stand in", pl.col("missing_models").list.join(", ")
            ),
            when=pl.col("degraded"),
        ),
    ]


def _hour_text(policy: PolicySettings) -> pl.Expr:
    percent = ((pl.col("lift") - 1) * 100).round(0).cast(pl.Int64)
    clicks = (
        pl.when(percent > 0)
        .then(pl.format("{} % more clicks than", percent))
        .when(percent < 0)
        .then(pl.format("{} % fewer clicks than", -percent))
        .otherwise(pl.lit("as many clicks as"))
    )
    return pl.format(
        f"{{}} by their clock, {{}} at {policy.default_hour}:00, {{}}",
        pl.col("local_send_at").dt.strftime("%a %H:%M"),
        clicks,
        pl.col("source").replace_strict(WHOSE_HOURS, default="by their own hours"),
    )
