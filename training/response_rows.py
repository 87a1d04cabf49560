"""What response models learn from: mails that were sent, moments without one, and what came."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from features.acts import IS_ABOUT_EMAIL, IS_EMAIL
from features.bots import judged
from features.build import features_as_of
from features.contacts import MEANINGS, contacts_as_of
from features.settings import FeatureSettings
from training.model.response import OF_CUSTOMER
from training.settings import ResponseSettings

KEY = ["customer_id", "as_of"]
# No mail so soon after a moment makes it one without a mail.
WITHOUT = timedelta(days=1)


def mails_sent(
    history: pl.DataFrame, *, known_until: datetime, settings: ResponseSettings
) -> pl.DataFrame:
    """One row per e-mail sent: customer_id, as_of (when), email, `click`, `unsubscribe` (1.0 or
    0.0) and `order`, `discounted`.

    `click`: a person clicked it within `click_days`. `unsubscribe`: within these days they
    unsubscribed or complained; customers who did so count until then. `order`: any order followed
    within `order_days`, `discounted`: one at a reduced price. Null while it is not yet known. An
    answer belongs to the mail whose message it names, else to the newest one before it (of that
    e-mail, if it names one).
    """
    known = judged(history.filter(pl.col("known_at") <= known_until)).filter(IS_ABOUT_EMAIL)
    sends = (
        known.filter(pl.col("kind") == "send", pl.col("email").is_not_null())
        .select("customer_id", "email", "message_id", as_of="at")
        .unique(["customer_id", "email", "as_of"])
        .sort("as_of", "customer_id", "email")
        .with_row_index("mail")
    )
    window = timedelta(days=settings.click_days)
    clicks = known.filter(pl.col("kind") == "click", IS_EMAIL)
    lost = known.filter(pl.col("kind").is_in(["unsubscribe", "complaint"]))
    is_known = pl.col("as_of") + window <= known_until
    answered = {
        name: sends.get_column("mail").is_in(_mails_of(answers, sends, within=window).implode())
        for name, answers in (("click", clicks), ("unsubscribe", lost))
    }
    labelled = sends.drop("mail", "message_id").with_columns(
        pl.when(is_known).then(happened.cast(pl.Float64)).alias(name)
        for name, happened in answered.items()
    )
    return with_orders(labelled, history, known_until=known_until, settings=settings)


def moments_without(
    history: pl.DataFrame,
    mails: pl.DataFrame,
    *,
    known_until: datetime,
    every: timedelta,
    settings: ResponseSettings,
) -> pl.DataFrame:
    """customer_id, as_of, `order`, `discounted`: everybody ever mailed, at regular moments from
    their first mail on, where none followed for a day.
    """
    mailed = mails.group_by("customer_id").agg(first=pl.col("as_of").min())
    first, last = mails.select(pl.col("as_of").min().alias("first"), pl.col("as_of").max()).row(0)
    moments = pl.datetime_range(
        first, last, every, time_unit="us", time_zone="UTC", eager=True
    ).alias("as_of")
    asked = (
        mailed.join(moments.to_frame(), how="cross")
        .filter(pl.col("as_of") >= pl.col("first"))
        .sort("as_of", "customer_id")
    )
    following = mails.select("customer_id", "as_of", mailed_at="as_of").unique().sort("as_of")
    return with_orders(
        asked.join_asof(
            following,
            on="as_of",
            by="customer_id",
            strategy="forward",
            check_sortedness=False,  # both sides are sorted
        )
        .filter((pl.col("mailed_at") >= pl.col("as_of") + WITHOUT).fill_null(True))
        .select(KEY),
        history,
        known_until=known_until,
        settings=settings,
    )


def with_orders(
    rows: pl.DataFrame, history: pl.DataFrame, *, known_until: datetime, settings: ResponseSettings
) -> pl.DataFrame:
    """Add `order` and `discounted` (see `mails_sent`) to rows with customer_id and as_of."""
    window = timedelta(days=settings.order_days)
    orders = history.filter(pl.col("kind") == "order", pl.col("known_at") <= known_until)
    is_reduced = (pl.col("discount").fill_null(0) > 0) | pl.col("coupon").is_not_null()
    numbered = rows.with_row_index("place")
    is_known = pl.col("as_of") + window <= known_until
    found = []
    for name, some in (("order", orders), ("discounted", orders.filter(is_reduced))):
        at = some.select("customer_id", as_of="at", next_at="at").unique().sort("as_of")
        next_at = (
            numbered.select("place", *KEY)
            .sort("as_of")
            .join_asof(
                at, on="as_of", by="customer_id", strategy="forward",
                check_sortedness=False,  # both sides were just sorted
            )
            .sort("place")
            .get_column("next_at")
        )  # fmt: skip
        soon = (next_at - rows.get_column("as_of") < window).fill_null(False)
        found.append(soon.cast(pl.Float64).alias(name))
    return rows.with_columns(found).with_columns(
        pl.when(is_known).then(name).alias(name) for name in ("order", "discounted")
    )


def with_inputs(
    rows: pl.DataFrame,
    history: pl.DataFrame,
    customers: pl.DataFrame,
    *,
    feature_settings: FeatureSettings,
) -> pl.DataFrame:
    """Add what models read of each row as it was known at its moment; `email` may be missing."""
    spine = rows.select(KEY).unique(maintain_order=True)
    features = features_as_of(history, spine, customers, settings=feature_settings)
    found = rows.join(
        features.select(*KEY, *(pl.col(name).cast(pl.Float64) for name in OF_CUSTOMER)),
        on=KEY,
        how="left",
        maintain_order="left",
    )
    if "email" not in rows.columns:
        return found
    contacts = contacts_as_of(history, spine, settings=feature_settings)
    return found.join(contacts, on=[*KEY, "email"], how="left", maintain_order="left").with_columns(
        pl.col(name).fill_null(0.0) for name in MEANINGS if name != "days_since_same"
    )


def _mails_of(answers: pl.DataFrame, sends: pl.DataFrame, *, within: timedelta) -> pl.Series:
    """The numbers of the mails that were answered so soon."""
    message = ["customer_id", "message_id"]
    asked = answers.select(*message, "email", as_of="at").unique().sort("as_of")
    sent = sends.with_columns(sent_at="as_of")
    found = [asked.join(sent.select("mail", "sent_at", *message), on=message)]
    others = asked.join(sent, on=message, how="anti").sort("as_of")
    for is_named, by in ((True, ["customer_id", "email"]), (False, ["customer_id"])):
        some = others.filter(pl.col("email").is_not_null() == is_named).select("as_of", *by)
        found.append(
            some.join_asof(
                sent.select("mail", "as_of", "sent_at", *by),
                on="as_of",
                by=by,
                strategy="backward",
                check_sortedness=False,  # both sides are sorted
            )
        )
    return pl.concat(
        one.filter(pl.col("as_of") < pl.col("sent_at") + within).get_column("mail").drop_nulls()
        for one in found
    ).unique()
