"""Whether what a mail shows can be offered."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from serving.invariants.grounds import DAY, Grounds, ids_of
from serving.settings import ServingSettings
from serving.tables import KEY
from serving.triggers import TRIGGERS

# Picks that show what customers chose themselves, however lately they bought it.
OWN_CHOICE = ("cart", "bought", "viewed")


def unfit_products(
    sends: pl.DataFrame, grounds: Grounds, settings: ServingSettings
) -> Collection[str]:
    policy = settings.policy
    own_choice = [
        name
        for name, email in settings.emails.items()
        if TRIGGERS[email.trigger].picks in OWN_CHOICE
    ]
    shown = sends.select("decision_id", *KEY, "email", product_id="products")
    shown = shown.explode("product_id").drop_nulls("product_id")
    on_shelf = grounds.products.select(
        "product_id", "available", "released_at", on_shelf=pl.lit(True)
    )
    days = pl.duration(microseconds=round(DAY * policy.recently_bought_days))
    earliest = pl.lit(sends.get_column("as_of").min(), sends.schema["as_of"]) - days
    just_bought = (
        grounds.history.filter(pl.col("kind") == "order", pl.col("at") > earliest)
        .join(shown, on=["customer_id", "product_id"])
        .filter(
            pl.col("known_at") <= pl.col("as_of"),
            pl.col("at").is_between(pl.col("as_of") - days, "as_of", closed="none"),
        )
        .select("decision_id", "product_id", just_bought=pl.lit(True))
        .unique()
    )
    due = (
        grounds.items.filter(pl.col("due_ratio") >= policy.due_share)
        .join(shown.select(KEY).unique(), on=KEY, how="semi")
        .select(*KEY, product_id="item", due=pl.lit(True))
    )
    told = (
        shown.join(on_shelf, on="product_id", how="left")
        .join(just_bought, on=["decision_id", "product_id"], how="left")
        .join(due, on=[*KEY, "product_id"], how="left")
        .with_columns(pl.col("on_shelf", "available", "just_bought", "due").fill_null(False))
    )
    unfit = (
        ~(pl.col("on_shelf") & pl.col("available"))
        | (pl.col("released_at") > pl.col("as_of")).fill_null(False)
        | (pl.col("just_bought") & ~pl.col("due") & ~pl.col("email").is_in(own_choice))
    )
    return set(ids_of(told, unfit))
