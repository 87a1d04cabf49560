"""What a mail at an instant is worth to each policy; whatever may be sent is the same for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.hashing import stable_hash
from pipelines.evaluation.names import FIXED, ONJE, ORACLE, RANDOM, RULES
from pipelines.settings import Settings
from pipelines.simulator.run import Run
from serving.valuation import OWN, Valuation

# No worth at all: such an instant is never taken.
WORTHLESS = pl.lit(None, pl.Float64)


@dataclass(frozen=True)
class FixedArm:
    """One e-mail at one local hour."""

    email: str
    hour: int


def valuation_of(
    policy: str, run: Run, *, settings: Settings, fixed: FixedArm | None, seed: int
) -> Valuation:
    """The policy as a valuation. `run` is the life that it meets; only the oracle looks into it."""
    makers: dict[str, Callable[[], Valuation]] = {
        ONJE: lambda: OWN,
        RULES: lambda: first_listed(settings.policy.default_hour),
        RANDOM: lambda: by_chance(seed),
        FIXED: lambda: always(_needed(fixed)),
        ORACLE: lambda: by_truth(run),
    }
    return makers[policy]()


def first_listed(default_hour: int) -> Valuation:
    """Marketers' rules: the e-mail listed first; at once where it answers to an act.

    Else at the default hour, and where that is not open, as soon as possible.
    """

    def worth(instants: pl.DataFrame) -> pl.Series:
        # The place in the list weighs more than the hour, the hour more than any wait (in hours).
        waiting = (pl.col("at") - pl.col("as_of")).dt.total_seconds() / 3600
        is_default = (pl.col("hour") == default_hour) & ~pl.col("at_once")
        rank = pl.lit(1000.0) - 10.0 * pl.col("place").cast(pl.Float64)
        return instants.select(
            worth=rank + pl.when(is_default).then(5.0).otherwise(0.0) - waiting / 1000
        ).to_series()

    return worth


def by_chance(seed: int) -> Valuation:
    """Any arm, then any of its instants, all alike."""

    def worth(instants: pl.DataFrame) -> pl.Series:
        if instants.is_empty():
            return pl.Series("worth", [], pl.Float64)
        first = f"{instants['customer_id'][0]} {instants['as_of'][0]}"
        dice = np.random.default_rng([seed, stable_hash(first, "by chance")])
        arms = instants.get_column("arm").rank("dense").cast(pl.Int64).to_numpy() - 1
        of_arm = dice.random(int(arms.max()) + 1)[arms]
        # An arm's draw comes before any draw of its instants.
        return pl.Series("worth", 1 + np.floor(of_arm * 1e6) + dice.random(len(arms)))

    return worth


def always(arm: FixedArm) -> Valuation:
    """That e-mail at that hour, the sooner the better, and nothing else."""

    def worth(instants: pl.DataFrame) -> pl.Series:
        waiting = (pl.col("at") - pl.col("as_of")).dt.total_seconds() / 3600
        is_it = (pl.col("email") == arm.email) & (pl.col("hour") == arm.hour)
        return instants.select(
            worth=pl.when(is_it).then(1000 - waiting).otherwise(WORTHLESS)
        ).to_series()

    return worth


def by_truth(run: Run) -> Valuation:
    """What the world itself expects of a mail, for each instant that is open."""

    def worth(instants: pl.DataFrame) -> pl.Series:
        numbered = instants.with_row_index("place of instant")
        is_open = numbered.filter(pl.col("shut_by").is_null())
        said = run.chances(mails_of_instants(is_open)).get_column("value")
        return (
            numbered.select("place of instant")
            .join(
                is_open.select("place of instant", worth=said),
                on="place of instant",
                how="left",
                maintain_order="left",
            )
            .get_column("worth")
        )

    return worth


def best_fixed(instants: pl.DataFrame, run: Run) -> FixedArm | None:
    """The e-mail and local hour worth most in truth, if it goes to everybody whom it may go to.

    `instants` are those of one decision for everybody. None where nothing may go to anybody.
    """
    is_open = instants.filter(pl.col("shut_by").is_null())
    if is_open.is_empty():
        return None
    value = run.chances(mails_of_instants(is_open)).get_column("value")
    totals = (
        is_open.select("email", "hour", "customer_id", value=value)
        .group_by("email", "hour", "customer_id")
        .agg(pl.col("value").mean())
        .group_by("email", "hour")
        .agg(pl.col("value").sum())
        .sort("value", "email", "hour", descending=[True, False, False])
    )
    email, hour, _ = totals.row(0)
    return FixedArm(email, int(hour))


def mails_of_instants(instants: pl.DataFrame) -> pl.DataFrame:
    """Instants as the mails they would be, for a world to judge."""
    return instants.select(
        "customer_id",
        "email",
        "trigger",
        "variant",
        "at",
        "products",
        "send_cost",
        discount="discount_share",
    )


def _needed(fixed: FixedArm | None) -> FixedArm:
    if fixed is None:
        raise AssertionError("whoever plays the fixed arm finds it first")
    return fixed
