"""The instants of e-mails that compete: what shuts each, what it is worth, which one is best."""

from __future__ import annotations

import polars as pl

from serving.brake import Brake
from serving.guardrails import OF_ARMS, OF_CUSTOMERS, braked, clock_rules
from serving.hours import instants_of, with_pull
from serving.reasons import listed, no_reasons, told
from serving.settings import ServingSettings
from serving.valuation import Valuation, with_worth

FORBIDDING_CUSTOMERS = tuple(rule.reason for rule in OF_CUSTOMERS)
FORBIDDING = (*FORBIDDING_CUSTOMERS, *(rule.reason for rule in OF_ARMS))

# Where nothing stands in the way, and the policy would send at all.
IS_OPEN = pl.col("shut_by").is_null() & pl.col("worth").is_not_null()


def valued_instants(
    arms: pl.DataFrame,
    curves: pl.DataFrame,
    closed: pl.DataFrame,
    *,
    settings: ServingSettings,
    valuation: Valuation,
) -> pl.DataFrame:
    """The instants of the arms that compete, in order, with `pull`, `shut_by` and `worth`.

    `closed` holds the times that are shut to a person, columns of serving.frequency.CLOSED.
    """
    instants = with_pull(instants_of(arms.filter("considered")), curves).with_row_index("instant")
    # Of the rules that shut an instant the one that lasts longest is named.
    shut = (
        instants.lazy()
        .select("instant", "person", "at", "email", "mail_class")
        .join(closed.lazy(), on="person")
        .filter(
            pl.col("forbids").is_null() | (pl.col("forbids") == pl.col("email")),
            pl.col("of_class").is_null() | (pl.col("of_class") == pl.col("mail_class")),
            pl.col("at").is_between("closed_from", "closed_until", closed="none"),
        )
        .sort("instant", "closed_until", "code", "text", descending=[False, True, False, False])
        .unique("instant", keep="first", maintain_order=True)
        .select("instant", by_frequency=pl.struct("code", "text"))
        .collect(engine="in-memory")
    )
    by_clock = [
        pl.when(rule.when).then(pl.struct(code=pl.lit(rule.code), text=rule.text))
        for rule in clock_rules(settings.policy)
    ]
    told_shut = instants.join(shut, on="instant", how="left", maintain_order="left").with_columns(
        shut_by=pl.coalesce("by_frequency", *by_clock)
    )
    return _at_hour_of_experiment(with_worth(told_shut.drop("by_frequency"), arms, valuation), arms)


def _at_hour_of_experiment(instants: pl.DataFrame, arms: pl.DataFrame) -> pl.DataFrame:
    """Shut the other hours of an e-mail that an experiment sends at one hour only.

    Where nothing is open at that hour, the e-mail goes as it would without the experiment: an
    experiment never keeps a mail back, and it opens nothing that is shut.
    """
    bound = arms.select("arm", "only_hour").drop_nulls("only_hour")
    if bound.is_empty():
        return instants
    is_there = (pl.col("hour") == pl.col("only_hour")).fill_null(False)
    elsewhere = pl.struct(
        code=pl.lit("experiment_hour"),
        text=pl.format("an experiment sends it at {}:00 by their clock", "only_hour"),
    )
    shuts = (IS_OPEN & is_there).any().over("arm") & IS_OPEN & ~is_there
    return (
        instants.join(bound, on="arm", how="left", maintain_order="left")
        .with_columns(shut_by=pl.when(shuts).then(elsewhere).otherwise("shut_by"))
        .drop("only_hour")
    )


def with_best_instants(arms: pl.DataFrame, instants: pl.DataFrame, brake: Brake) -> pl.DataFrame:
    """Add the best open `instant`, the best of all, and `forbidden_by`: what leaves no instant.

    Of instants of equal worth the one with more pull, then the earlier. `hours` counts the open.
    """
    best = instants.group_by("arm", maintain_order=True).agg(
        instant=_best(IS_OPEN),
        best_of_all=_best(pl.col("worth").is_not_null()),
        hours=IS_OPEN.sum(),
    )
    unconstrained = instants.lazy().select(
        best_of_all="instant",
        unconstrained_at="at",
        unconstrained_pull="pull",
        unconstrained_waited="waited",
        unconstrained_value="value",
        unconstrained_worth="worth",
        moved_by="shut_by",
    )
    # What was never to be sent, though it might, is not forbidden.
    is_shut = pl.col("shut_by").is_not_null()
    shut = (
        instants.lazy()
        .join(best.lazy().filter(pl.col("instant").is_null()), on="arm", how="semi")
        .filter(is_shut & (pl.col("worth").is_not_null() | is_shut.all().over("arm")))
        .sort("instant")  # a join may bring its rows in any order
        .select("arm", pl.col("shut_by").struct.unnest())
        .unique(["arm", "code"], keep="first", maintain_order=True)
    )
    considered = arms.lazy().filter("considered")
    forbidding = (*FORBIDDING, braked(brake).reason)
    forbidden = listed([told(considered, "arm", forbidding), shut], "arm", "forbidden_by")
    return (
        at_instant(
            arms.lazy().join(best.lazy(), on="arm", how="left", maintain_order="left"), instants
        )
        .join(unconstrained, on="best_of_all", how="left", maintain_order="left")
        .join(forbidden, on="arm", how="left", maintain_order="left")
        .with_columns(pl.col("forbidden_by").fill_null(no_reasons()), pl.col("hours").fill_null(0))
        .collect(engine="in-memory")
    )


def at_instant(frame: pl.LazyFrame, instants: pl.DataFrame) -> pl.LazyFrame:
    """Add to rows with an `instant` (may be null) when it is, its pull and what it is worth."""
    told_of = instants.lazy().select(
        "instant", "pull", "waited", "lift", "freshness", "source", "leaves_now", "value", "worth",
        send_at="at", local_send_at="local_at",
    )  # fmt: skip
    return frame.join(told_of, on="instant", how="left", maintain_order="left")


def _best(among: pl.Expr) -> pl.Expr:
    """The instant of the highest worth, of equals of the highest pull, of these the earliest."""
    worth = pl.when(among).then("worth")
    is_top = worth == worth.max()
    return pl.col("instant").get(pl.when(is_top).then("pull").arg_max(), null_on_oob=True)
