"""Whether a customer may be mailed: consent, and what has put an end to it."""

from __future__ import annotations

import polars as pl

from features.acts import IS_ABOUT_EMAIL, IS_YES
from features.contracts import PERMISSION_KINDS
from features.once import unique_events


def permissions_as_of(history: pl.DataFrame, spine: pl.DataFrame) -> pl.DataFrame:
    """The spine, in its order, with email_consent and consent_since, consent_confirmed_at,
    suppressed_by and suppressed_at.

    email_consent is "granted", "denied" or "unknown", suppressed_by null, "unsubscribe",
    "complaint", "bounce" (a hard one) or "erase"; of several the one that forbids most is told.
    consent_confirmed_at is when the newest grant or confirmation that counts was given.

    An act counts from the moment it is known, also one that is dated later. A grant lifts an
    unsubscribe only if it is known later and happened later, so that old consents told again by
    another system lift nothing; ties forbid. Nothing lifts a complaint, a hard bounce or an
    erasure.
    """
    kind, reason, known_at = pl.col("kind"), pl.col("reason"), pl.col("known_at")
    is_denial = ((kind == "consent") & (reason == "denied") & IS_ABOUT_EMAIL).fill_null(False)
    is_unsubscribe = (kind == "unsubscribe") & IS_ABOUT_EMAIL
    is_complaint = (kind == "complaint") & IS_ABOUT_EMAIL
    is_hard_bounce = ((kind == "bounce") & (reason == "hard") & IS_ABOUT_EMAIL).fill_null(False)

    def later_than(forbids: pl.Expr) -> pl.Expr:
        """Grants that undo every such act before them."""
        never = pl.lit(None, pl.Datetime("us", "UTC"))
        known = pl.when(forbids).then("known_at").otherwise(never).max()
        happened = pl.when(forbids).then("at").otherwise(never).max()
        return (
            IS_YES
            & (known.is_null() | (known_at > known))
            & (happened.is_null() | (pl.col("at") > happened))
        )

    def first_known(is_it: pl.Expr) -> pl.Expr:
        return pl.when(is_it).then("known_at").min()

    acts = unique_events(history.filter(kind.is_in(PERMISSION_KINDS)))
    rows = spine.select("customer_id", "as_of").unique()
    found = (
        rows.lazy()
        .join(acts.lazy(), on="customer_id", how="inner")
        .filter(known_at <= pl.col("as_of"))
        .group_by("customer_id", "as_of")
        .agg(
            granted=first_known(later_than(is_denial)),
            confirmed=pl.when(later_than(is_denial)).then("at").max(),
            denied=pl.when(is_denial).then("known_at").max(),
            erase=first_known(kind == "erase"),
            complaint=first_known(is_complaint),
            bounce=first_known(is_hard_bounce),
            unsubscribe=pl.when(is_unsubscribe).then("known_at").max(),
            is_lifted=later_than(is_unsubscribe).any(),
        )
        .with_columns(unsubscribe=pl.when(~pl.col("is_lifted")).then("unsubscribe"))
    )
    causes = ("erase", "bounce", "complaint", "unsubscribe")
    return (
        spine.lazy()
        .join(found, on=["customer_id", "as_of"], how="left", maintain_order="left")
        .with_columns(
            email_consent=pl.when(pl.col("granted").is_not_null())
            .then(pl.lit("granted"))
            .when(pl.col("denied").is_not_null())
            .then(pl.lit("denied"))
            .otherwise(pl.lit("unknown")),
            consent_since=pl.coalesce("granted", "denied"),
            consent_confirmed_at="confirmed",
            suppressed_by=pl.coalesce(
                pl.when(pl.col(cause).is_not_null()).then(pl.lit(cause)) for cause in causes
            ),
            suppressed_at=pl.coalesce(causes),
        )
        .drop("granted", "denied", "confirmed", "is_lifted", *causes)
        .collect()
    )
