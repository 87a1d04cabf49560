"""What is left to chance, so that effects can be measured: who is held out, what is explored.

Chance is a stable hash of the customer and the UTC day: the night and the service draw the same,
and asking again does not draw anew. Whatever may be drawn gets a number of its own and the highest
wins, so that a draw stands as long as the thing drawn does, whatever else comes or goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from features.hashing import stable_hash, stable_share
from serving.candidates import asks_only_for_time
from serving.instants import IS_OPEN
from serving.settings import PolicySettings, ServingSettings

NO_EMAIL = ""  # among the e-mails that may be drawn


def with_variant(arms: pl.DataFrame, settings: ServingSettings) -> pl.DataFrame:
    """Add `variant`, dealt to each customer by a stable hash: the same one at every ask."""
    salt = f"variant {settings.policy.seed}"
    dealt = []
    for email, customer in arms.select("email", "customer_id").iter_rows():
        variants = settings.emails[email].variants
        # Hashing takes longer than all the rest where there is nothing to choose.
        place = stable_hash(f"{email}\0{customer}", salt) % len(variants) if variants[1:] else 0
        dealt.append(variants[place])
    return arms.with_columns(pl.Series("variant", dealt, pl.String))


def in_holdout(customers: pl.Series, policy: PolicySettings) -> pl.Series:
    """Whether each customer belongs to those who get no e-mail: the same ones for good.

    No seed takes part: a holdout that could be dealt anew would be full of people mailed before.
    """
    held_out = [stable_share(name, "holdout") < policy.holdout_share for name in customers]
    return pl.Series("holdout", held_out, pl.Boolean)


def _happens(what: str, draws: Iterable[str], share: float, policy: PolicySettings) -> pl.Series:
    """Whether chance does so in each draw."""
    salt = f"{what} {policy.seed}"
    return pl.Series(what, [stable_share(draw, salt) < share for draw in draws], pl.Boolean)


def draws_of(questions: pl.DataFrame, policy: PolicySettings) -> pl.DataFrame:
    """Per question: `row`, `draw` (customer and day), `holdout`, and what it is to explore.

    A pure question of time is about an e-mail that goes anyway: only its hour is explored.
    """
    day = pl.col("as_of").dt.date().cast(pl.String)
    draws = questions.select(pl.format("{}\0{}", "customer_id", day)).to_series()
    is_choice = ~asks_only_for_time()
    held_out = in_holdout(questions.get_column("customer_id"), policy)
    emails = _happens("explore emails", draws, policy.explore_emails, policy)
    return questions.select(
        "row",
        draws.alias("draw"),
        holdout=is_choice & held_out,
        explores_emails=is_choice & ~held_out & emails,
        explores_hours=_happens("explore hours", draws, policy.explore_hours, policy),
        # The share of chance in the choice of the e-mail.
        chance=pl.when(is_choice & ~held_out).then(policy.explore_emails).otherwise(0.0),
    )


def with_choice(
    arms: pl.DataFrame, draws: pl.DataFrame, policy: PolicySettings
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The arms with the `propensity` of each, and per question the one chosen.

    Of each question: `best_arm` (what the policy would choose), `arm` (what is chosen, null =
    wait), `explored_email`, `email_propensity` (of what is chosen) and `wait_propensity`. What may
    go is drawn alike with no e-mail at all; the propensities of a question sum to 1.
    """
    # Whatever has an allowed instant may be drawn, also what is worth less than no e-mail.
    may_go = pl.col("considered") & (pl.col("forbidden_by").list.len() == 0)
    eligible = arms.lazy().filter(may_go, pl.col("instant").is_not_null())
    # A pure question of time has been decided already as to whether it is worth it.
    worth_it = eligible.filter((pl.col("worth") > 0) | pl.col("only_time"))
    chosen = (
        draws.lazy()
        .join(first_per_row(worth_it, "worth").select("row", best_arm="arm"), on="row", how="left")
        .join(eligible.group_by("row").agg(eligible=pl.len()), on="row", how="left")
        .with_columns(
            usual=pl.when(~pl.col("holdout")).then("best_arm"),
            explored_email=pl.col("explores_emails") & pl.col("eligible").is_not_null(),
            # No e-mail is one more.
            of_each=pl.col("chance") / (pl.col("eligible").fill_null(0) + 1),
        )
        .with_columns(of_usual=pl.col("of_each") + (1 - pl.col("chance")))
        .with_columns(
            wait_propensity=pl.when(pl.col("usual").is_null()).then("of_usual").otherwise("of_each")
        )
        .collect(engine="in-memory")
    )
    drawn = _drawn(eligible, chosen, policy)
    chosen = (
        chosen.join(drawn, on="row", how="left", maintain_order="left")
        .with_columns(arm=pl.when("explored_email").then("drawn").otherwise("usual"))
        .with_columns(
            email_propensity=pl.when(pl.col("arm").eq_missing(pl.col("usual")))
            .then("of_usual")
            .otherwise("of_each")
        )
    )
    is_eligible = pl.col("arm").is_in(eligible.select("arm").collect().get_column("arm").implode())
    of_row = chosen.lazy().select("row", "usual", "of_each", "of_usual")
    return (
        arms.lazy()
        .join(of_row, on="row", how="left", maintain_order="left")
        .with_columns(
            propensity=pl.when(~is_eligible)
            .then(0.0)
            .when(pl.col("arm") == pl.col("usual"))
            .then("of_usual")
            .otherwise("of_each")
        )
        .drop("usual", "of_each", "of_usual")
        .collect(engine="in-memory")
    ), chosen


def _drawn(eligible: pl.LazyFrame, chosen: pl.DataFrame, policy: PolicySettings) -> pl.DataFrame:
    """Of the questions that explore e-mails: `row` and the arm `drawn`, null = none."""
    exploring = chosen.lazy().filter("explored_email").select("row", "draw")
    offered = pl.concat(
        [
            eligible.join(exploring, on="row").select("row", "draw", "arm", what="email"),
            exploring.select("row", "draw", arm=pl.lit(None, pl.UInt32), what=pl.lit(NO_EMAIL)),
        ]
    ).collect(engine="in-memory")
    return _winners(offered, f"e-mail {policy.seed}").select("row", drawn="arm")


def with_hour(
    chosen: pl.DataFrame, arms: pl.DataFrame, instants: pl.DataFrame, policy: PolicySettings
) -> pl.DataFrame:
    """Add the `instant` of what is chosen, `explored_hour`, `hour_propensity` and `propensity`.

    With the chance explore_hours it is any of the open instants of the arm, all alike.
    """
    best = arms.lazy().select("arm", "hours", best_instant="instant")
    chosen = chosen.join(best.collect(), on="arm", how="left", maintain_order="left").with_columns(
        explored_hour=(pl.col("explores_hours") & (pl.col("hours") > 1)).fill_null(False)
    )
    exploring = chosen.lazy().filter("explored_hour").select("row", "draw", "arm")
    offered = (
        instants.lazy()
        .filter(IS_OPEN)
        .select("arm", "instant", what=pl.col("begins").cast(pl.Int64).cast(pl.String))
        .join(exploring, on="arm")
        .collect(engine="in-memory")
    )
    drawn = _winners(offered, f"hour {policy.seed}").select("row", drawn_instant="instant")
    of_best = pl.when(pl.col("instant") == pl.col("best_instant")).then(1 - policy.explore_hours)
    return (
        chosen.join(drawn, on="row", how="left", maintain_order="left")
        .with_columns(
            instant=pl.when("explored_hour").then("drawn_instant").otherwise("best_instant")
        )
        .with_columns(
            hour_propensity=policy.explore_hours / pl.col("hours") + of_best.otherwise(0.0)
        )
        .with_columns(
            propensity=pl.col("email_propensity") * pl.col("hour_propensity").fill_null(1.0)
        )
    )


def _winners(offered: pl.DataFrame, salt: str) -> pl.DataFrame:
    """Of each question what hashes highest with its `draw`: any `what` with equal chance."""
    pairs: Sequence[tuple[str, str]] = offered.select("draw", "what").rows()
    luck = [stable_hash(f"{draw}\0{what}", salt) for draw, what in pairs]
    return (
        offered.with_columns(pl.Series("luck", luck, pl.UInt64))
        .sort("row", "luck", descending=[False, True])
        .unique("row", keep="first", maintain_order=True)
    )


def first_per_row(arms: pl.LazyFrame, worth: str) -> pl.LazyFrame:
    """The arm of the highest worth in each row; of equals the one listed first."""
    return arms.sort(
        "row", worth, "place", descending=[False, True, False], nulls_last=True
    ).unique("row", keep="first", maintain_order=True)
