"""As of when a customer is decided on live: a clock that stepped back must hide no withdrawal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import polars as pl

from features.contracts import PERMISSION_KINDS
from serving.store.instants import EPOCH
from serving.tables import UTC

# So far a clock may step back and a decision still sees all that was known before it did. What
# the lake says of a later time is of another clock: to follow it would be to live in its future.
STEP_BACK = timedelta(days=2)


def presents_of(
    history: pl.DataFrame,
    told_online: Mapping[str, datetime],
    customer_ids: Collection[str],
    *,
    now: datetime,
) -> dict[str, datetime]:
    """The present of each customer: `now`, or later, when the newest of their events was known.

    `told_online` says when an event of theirs was last taken online, by this clock or by one it
    was before; of the published `history` only what was known up to STEP_BACK after `now` counts.
    """
    known_at = history.get_column("known_at")
    newest: datetime | None = known_at.max()  # type: ignore[assignment]
    published: dict[str, datetime] = {}
    if newest is not None and newest > now:  # which is rare, and to see it is cheap
        ahead = history.filter(
            pl.col("known_at").is_between(
                pl.lit(now, UTC), pl.lit(now + STEP_BACK, UTC), closed="right"
            )
        )
        published = dict(ahead.group_by("customer_id").agg(pl.col("known_at").max()).iter_rows())
    return {
        customer_id: max(now, told_online.get(customer_id, now), published.get(customer_id, now))
        for customer_id in customer_ids
    }


def with_all_withdrawals(history: pl.DataFrame, presents: Mapping[str, datetime]) -> pl.DataFrame:
    """The history in which whatever forbids mail is known by the customer's present.

    An unsubscribe, complaint, bounce, erasure or denied consent that is in the data counts however
    late its `known_at`; a consent that is granted later than the present does not.
    """
    if not (history["known_at"] > min(presents.values(), default=EPOCH)).any():
        return history
    forbids = pl.col("kind").is_in([kind for kind in PERMISSION_KINDS if kind != "consent"]) | (
        (pl.col("kind") == "consent") & (pl.col("reason") == "denied")
    )
    present = pl.col("customer_id").replace_strict(
        list(presents), list(presents.values()), default=None, return_dtype=UTC
    )
    is_late = (forbids & (pl.col("known_at") > present)).fill_null(False)
    return history.with_columns(known_at=pl.when(is_late).then(present).otherwise("known_at"))
