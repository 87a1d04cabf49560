"""Whether each decision is one, explains itself, and takes what it says is allowed."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from serving.invariants.grounds import ids_of


def doubled(decisions: pl.DataFrame) -> Collection[str]:
    twice = pl.col("decision_id").is_duplicated() | pl.col("request_id").is_duplicated()
    return ids_of(decisions, twice)


def unexplained(decisions: pl.DataFrame) -> Collection[str]:
    chosen = (pl.col("propensity") > 0) & (pl.col("propensity") <= 1 + 1e-9)
    told = pl.col("because").list.len() > 0
    versions = pl.col("versions").str.contains('"policy"', literal=True) & pl.col(
        "versions"
    ).str.contains('"models"', literal=True)
    age = ~pl.col("known_customer") | pl.col("known_until").is_not_null()
    is_send = pl.col("action") == "send"
    complete = ~is_send | pl.all_horizontal(
        pl.col(name).is_not_null() for name in ("email", "variant", "send_at", "slots", "value")
    )
    features = pl.col("features").str.len_bytes() > 2
    return ids_of(decisions, ~(chosen & told & versions & age & complete & features))


def forbidden(sends: pl.DataFrame) -> Collection[str]:
    """The chosen e-mail among the arms: something forbids it, or it has no open instant."""
    arms = (
        sends.select("decision_id", chosen="email", arms="arms")
        .explode("arms")
        .unnest("arms")
        .filter(pl.col("email") == pl.col("chosen"))
    )
    stands = (
        (pl.col("forbidden_by").list.len() == 0)
        & pl.col("send_at").is_not_null()
        & (pl.col("propensity") > 0)
    )
    missing = set(sends.get_column("decision_id")) - set(arms.get_column("decision_id"))
    return missing | set(ids_of(arms, ~stands))
