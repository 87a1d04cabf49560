"""What is left to chance, so that effects can be measured: who is held out, what is explored.

Chance is a stable hash of the customer and the UTC day: the night and the service draw the same,
and asking again does not draw anew. Whatever may be drawn gets a number of its own and the highest
wins, so that a draw stands as long as the thing drawn does, whatever else comes or goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import repeat

import polars as pl

from features.hashing import stable_hash, stable_share
from serving.candidates import asks_only_for_time
from serving.conditions import Conditions
from serving.guardrail_settings import TRANSACTIONAL
from serving.instants import IS_OPEN, Instants
from serving.settings import PolicySettings, ServingSettings

NO_EMAIL = ""  # among the e-mails that may be drawn


def with_variant(arms: pl.DataFrame, settings: ServingSettings) -> pl.DataFrame:
    """Add `variant`, dealt to each customer by a stable hash: the same one at every ask."""
    salt = f"variant {settings.policy.seed}"
    variants_of = {name: email.variants for name, email in settings.emails.items()}
    first = [variants[0] for variants in variants_of.values()]
    # Hashing takes longer than all the rest, so only what may be dealt is.
    choosing = [name for name, variants in variants_of.items() if variants[1:]]
    among = (
        arms.lazy()
        .select("email", "customer_id", place=pl.int_range(pl.len()))
        .filter(pl.col("email").is_in(choosing))
        .collect(engine="in-memory")
    )
    dealt = [
        variants_of[email][stable_hash(f"{email}\0{customer}", salt) % len(variants_of[email])]
        for email, customer in among.select("email", "customer_id").iter_rows()
    ]
    variant = arms.select(
        variant=pl.col("email").replace_strict(
            list(variants_of), first, default=None, return_dtype=pl.String
        )
    ).to_series()
    return arms.with_columns(
        variant.scatter(among.get_column("place"), pl.Series(dealt, dtype=pl.String))
    )


def in_holdout(customers: pl.Series, policy: PolicySettings) -> pl.Series:
    """Whether each customer belongs to those who get no e-mail: the same ones for good.

    No seed takes part: a holdout that could be dealt anew would be full of people mailed before.
    """
    held_out = [stable_share(name, "holdout") < policy.holdout_share for name in customers]
    return pl.Series("holdout", held_out, pl.Boolean)


def _happens(
    what: str, draws: Iterable[str], shares: Iterable[float], policy: PolicySettings
) -> pl.Series:
    """Whether chance does so in each draw, with the share of each."""
    salt = f"{what} {policy.seed}"
    happens = [stable_share(draw, salt) < share for draw, share in zip(draws, shares, strict=True)]
    return pl.Series(what, happens, pl.Boolean)


def explore_shares(as_of: pl.Series, policy: PolicySettings, conditions: Conditions) -> pl.Series:
    """The share of choices of an e-mail that chance makes at each moment.

    Another in the first days of a shop, when nothing is known of what its e-mails bring; they count
    from its first live decision. Whoever leaves nothing to chance means those days too.
    """
    launched_at = conditions.launched_at
    if not policy.first_days or not policy.explore_emails:
        is_new = pl.Series([False]).new_from_index(0, len(as_of))
    elif launched_at is None:
        is_new = pl.Series([True]).new_from_index(0, len(as_of))
    else:
        is_new = as_of < launched_at + timedelta(days=policy.first_days)
    at_first = is_new.cast(pl.Float64)
    of_each = at_first * policy.explore_emails_at_first + (1 - at_first) * policy.explore_emails
    return of_each.alias("explore_share")


def draws_of(
    questions: pl.DataFrame, policy: PolicySettings, conditions: Conditions
) -> pl.DataFrame:
    """Per question: `row`, `draw` (customer and day), `holdout`, and what it is to explore.

    A pure question of time is about an e-mail that goes anyway: only its hour is explored.
    """
    day = pl.col("as_of").dt.date().cast(pl.String)
    draws = questions.select(pl.format("{}\0{}", "customer_id", day)).to_series()
    is_choice = ~asks_only_for_time()
    held_out = in_holdout(questions.get_column("customer_id"), policy)
    shares = explore_shares(questions.get_column("as_of"), policy, conditions)
    emails = _happens("explore emails", draws, shares, policy)
    of_hours = repeat(policy.explore_hours, len(draws))
    return questions.select(
        "row",
        draws.alias("draw"),
        holdout=is_choice & held_out,
        explores_emails=is_choice & ~held_out & emails,
        explores_hours=_happens("explore hours", draws, of_hours, policy),
        explore_share=shares,
        # The share of chance in the choice of the e-mail.
        chance=pl.when(is_choice & ~held_out).then(shares).otherwise(0.0),
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
    may_go = pl.col("forbidden_by").list.len() == 0
    eligible = arms.lazy().filter(may_go, pl.col("instant").is_not_null())
    draws, eligible = _owed_first(draws, eligible)
    # A pure question of time has been decided already as to whether it is worth it, and what is
    # owed goes whatever it is worth.
    worth_it = eligible.filter(
        (pl.col("worth") > 0) | pl.col("only_time") | pl.col("owed"), ~pl.col("stands_back")
    )
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


def _owed_first(draws: pl.DataFrame, eligible: pl.LazyFrame) -> tuple[pl.DataFrame, pl.LazyFrame]:
    """Where a transactional e-mail may go, nothing else may, and nothing is left to chance."""
    eligible = eligible.with_columns(owed=pl.col("mail_class") == TRANSACTIONAL)
    rows = eligible.filter("owed").select(pl.col("row").unique()).collect().get_column("row")
    is_owed = pl.col("row").is_in(rows.implode())
    decides = ("holdout", "explores_emails", "explores_hours")
    return (
        draws.with_columns(pl.col(decides) & ~is_owed).with_columns(
            chance=pl.when(is_owed).then(0.0).otherwise("chance"), owed=is_owed
        ),
        eligible.filter(pl.col("owed") | ~is_owed),
    )


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
    chosen: pl.DataFrame, arms: pl.DataFrame, instants: Instants, policy: PolicySettings
) -> pl.DataFrame:
    """Add the `instant` of what is chosen, `explored_hour`, `hour_propensity` and `propensity`.

    With the chance explore_hours it is any of the open instants of the arm, all alike.
    """
    best = arms.lazy().select("arm", "hours", best_instant="instant")
    chosen = chosen.join(best.collect(), on="arm", how="left", maintain_order="left").with_columns(
        explored_hour=(pl.col("explores_hours") & (pl.col("hours") > 1)).fill_null(False)
    )
    exploring = chosen.filter("explored_hour").select("row", "draw", "arm")
    offered = (
        instants.frame.lazy()
        .select("arm", "instant", "begins", "shut", "worth")
        # Few explore: a join that meets all instants takes five times as long.
        .filter(pl.col("arm").is_in(exploring.get_column("arm").implode()), IS_OPEN)
        .join(exploring.lazy(), on="arm", maintain_order="left")
        .with_columns(what=pl.col("begins").cast(pl.Int64).cast(pl.String))
        .collect(engine="in-memory")
    )
    drawn = _winners(offered, f"hour {policy.seed}").select("row", drawn_instant="instant")
    share = pl.when(pl.col("owed")).then(0.0).otherwise(policy.explore_hours)
    of_best = pl.when(pl.col("instant") == pl.col("best_instant")).then(1 - share)
    return (
        chosen.join(drawn, on="row", how="left", maintain_order="left")
        .with_columns(
            instant=pl.when("explored_hour").then("drawn_instant").otherwise("best_instant")
        )
        .with_columns(hour_propensity=share / pl.col("hours") + of_best.otherwise(0.0))
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
