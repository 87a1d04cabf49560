"""What happened after a moment: the truth that models learn to foresee."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from features.acts import IS_EMAIL
from features.bots import judged


def churned(
    history: pl.DataFrame, spine: pl.DataFrame, *, horizon: timedelta, known_until: datetime
) -> pl.DataFrame:
    """`customer_id`, `as_of` and `churned`: no order in [as_of, as_of + horizon); rows as given.

    Null where the horizon ends after `known_until`: not yet known is not "no".
    """
    orders = (
        history.filter(pl.col("kind") == "order", pl.col("known_at") <= known_until)
        .select("customer_id", next_order_at="at")
        .unique()
        .sort("next_order_at")
    )
    next_orders = (
        spine.select("customer_id", "as_of")
        .unique()
        .sort("as_of")
        .join_asof(
            orders,
            left_on="as_of",
            right_on="next_order_at",
            by="customer_id",
            strategy="forward",
            check_sortedness=False,  # both sides were just sorted
        )
    )
    is_known = pl.col("as_of") + horizon <= known_until
    came_back = (pl.col("next_order_at") < pl.col("as_of") + horizon).fill_null(False)
    return spine.join(
        next_orders, on=["customer_id", "as_of"], how="left", maintain_order="left"
    ).select("customer_id", "as_of", churned=pl.when(is_known).then(~came_back))


def email_dormant(
    history: pl.DataFrame,
    spine: pl.DataFrame,
    *,
    horizon: timedelta,
    least_delivered: int,
    known_until: datetime,
) -> pl.DataFrame:
    """`customer_id`, `as_of`, `email_dormant`: neither a click by a person nor a visit in
    [as_of, as_of + horizon), though `least_delivered` e-mails arrived; rows as given.

    Null where fewer arrived (who got no mail cannot ignore it), and where the horizon ends after
    `known_until`.
    """
    known = judged(history.filter(pl.col("known_at") <= known_until))
    is_answer = (IS_EMAIL & (pl.col("kind") == "click")) | (pl.col("kind") == "session")
    acts = known.select(
        "customer_id", "at", mail=IS_EMAIL & (pl.col("kind") == "deliver"), answer=is_answer
    ).filter(pl.col("mail") | pl.col("answer"))
    counted = (
        spine.select("customer_id", "as_of")
        .unique()
        .join(acts, on="customer_id")
        .filter(pl.col("at") >= pl.col("as_of"), pl.col("at") < pl.col("as_of") + horizon)
        .group_by("customer_id", "as_of")
        .agg(pl.col("mail").sum(), pl.col("answer").sum())
    )
    is_known = (pl.col("mail") >= least_delivered) & (pl.col("as_of") + horizon <= known_until)
    return spine.join(
        counted, on=["customer_id", "as_of"], how="left", maintain_order="left"
    ).select("customer_id", "as_of", email_dormant=pl.when(is_known).then(pl.col("answer") == 0))


def turning_dormant(
    history: pl.DataFrame, spine: pl.DataFrame, *, dormant_days: int, known_until: datetime
) -> pl.DataFrame:
    """`customer_id`, `as_of`, `turns_at`: when nothing will have been ordered for `dormant_days`
    for the first time since the last order before `as_of`; rows as given.

    Null where that had not happened by `known_until`. For whoever is dormant at `as_of` it lies
    before.
    """
    span = timedelta(days=dormant_days)
    orders = (
        history.filter(pl.col("kind") == "order", pl.col("known_at") <= known_until)
        .select("customer_id", "at")
        .unique()
        .sort("customer_id", "at")
        .with_columns(next_at=pl.col("at").shift(-1).over("customer_id"))
    )
    is_last = (pl.col("next_at") - pl.col("at") >= span).fill_null(True)
    ends = orders.filter(is_last).select("customer_id", end_at="at", turns_at=pl.col("at") + span)
    rows = spine.select("customer_id", "as_of").unique().sort("as_of")
    last = rows.join_asof(
        orders.select("customer_id", last_at="at").sort("last_at"),
        left_on="as_of",
        right_on="last_at",
        by="customer_id",
        strategy="backward",
        allow_exact_matches=False,
        check_sortedness=False,  # both sides were just sorted
    )
    turns = (
        last.drop_nulls("last_at")
        .sort("last_at")
        .join_asof(
            ends.sort("end_at"),
            left_on="last_at",
            right_on="end_at",
            by="customer_id",
            strategy="forward",
            check_sortedness=False,
        )
        .select(
            "customer_id",
            "as_of",
            turns_at=pl.when(pl.col("turns_at") <= known_until).then("turns_at"),
        )
    )
    return spine.select("customer_id", "as_of").join(
        turns, on=["customer_id", "as_of"], how="left", maintain_order="left"
    )
