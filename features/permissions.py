"""Whether a customer may be mailed: consent, and what has put an end to it."""

from __future__ import annotations

import polars as pl

from features.acts import IS_ABOUT_EMAIL, IS_YES
from features.contracts import PERMISSION_KINDS
from features.feature import AS_WRITTEN
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
    acts = unique_events(history.filter(_IS_ABOUT)).select("customer_id", "at", "known_at", *_ACTS)
    rows = spine.with_row_index("place")
    found = (
        rows.lazy()
        .select("place", "customer_id", "as_of")
        .join(acts.lazy(), on="customer_id", how="inner")
        .filter(pl.col("known_at") <= pl.col("as_of"))
        .group_by("place")
        .agg(_FOUND)
        .collect(engine="in-memory", optimizations=AS_WRITTEN)
    )
    return (
        rows.lazy()
        .join(found.lazy(), on="place", how="left", maintain_order="left")
        .with_columns(unsubscribe=pl.when(~pl.col("is_lifted")).then("unsubscribe"))
        .select(*spine.columns, *_TOLD)
        .collect(engine="in-memory", optimizations=AS_WRITTEN)
    )


def _is(kind: str, reason: str | None = None) -> pl.Expr:
    is_it = (pl.col("kind") == kind) & IS_ABOUT_EMAIL
    return is_it if reason is None else (is_it & (pl.col("reason") == reason)).fill_null(False)


def _later_than(forbids: str) -> pl.Expr:
    """Grants that undo every such act before them."""
    known, happened = (pl.col(name).filter(pl.col(forbids)).max() for name in ("known_at", "at"))
    return (
        pl.col("is_yes")
        & (known.is_null() | (pl.col("known_at") > known))
        & (happened.is_null() | (pl.col("at") > happened))
    )


def _known(function: str, is_it: pl.Expr | str) -> pl.Expr:
    known: pl.Expr = getattr(pl.col("known_at").filter(is_it), function)()
    return known


# Made once: reading expressions is most of the price of asking for one customer.
_IS_ABOUT = pl.col("kind").is_in(PERMISSION_KINDS)
_ACTS = (
    IS_YES.alias("is_yes"),
    _is("consent", "denied").alias("is_denial"),
    _is("unsubscribe").alias("is_unsubscribe"),
    _is("complaint").alias("is_complaint"),
    _is("bounce", "hard").alias("is_hard_bounce"),
    (pl.col("kind") == "erase").alias("is_erase"),
)
_GRANTS = _later_than("is_denial")
_FOUND = (
    _known("min", _GRANTS).alias("granted"),
    pl.col("at").filter(_GRANTS).max().alias("confirmed"),
    _known("max", "is_denial").alias("denied"),
    _known("min", "is_erase").alias("erase"),
    _known("min", "is_complaint").alias("complaint"),
    _known("min", "is_hard_bounce").alias("bounce"),
    _known("max", "is_unsubscribe").alias("unsubscribe"),
    _later_than("is_unsubscribe").any().alias("is_lifted"),
)
_CAUSES = ("erase", "bounce", "complaint", "unsubscribe")
_TOLD = (
    pl.when(pl.col("granted").is_not_null())
    .then(pl.lit("granted"))
    .when(pl.col("denied").is_not_null())
    .then(pl.lit("denied"))
    .otherwise(pl.lit("unknown"))
    .alias("email_consent"),
    pl.coalesce("granted", "denied").alias("consent_since"),
    pl.col("confirmed").alias("consent_confirmed_at"),
    pl.coalesce(
        pl.when(pl.col(cause).is_not_null()).then(pl.lit(cause)) for cause in _CAUSES
    ).alias("suppressed_by"),
    pl.coalesce(_CAUSES).alias("suppressed_at"),
)
