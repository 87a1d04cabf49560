"""What the law wants somebody to be told, whatever it is worth."""

from __future__ import annotations

import polars as pl

from serving.triggers.trigger import Trigger
from serving.triggers.words import days

FAMILY = "What the law wants to be told"

_IS_GRANTED = pl.col("email_consent") == "granted"
_LEFT_AT = pl.when(pl.col("suppressed_by") == "unsubscribe").then("suppressed_at")
# A consent is dated by when it was given; a refusal or withdrawal by when it became known.
_SAID_AT = pl.when(_IS_GRANTED).then("consent_confirmed_at").when(
    pl.col("email_consent") == "denied"
).then("consent_since")  # fmt: skip
_HOURS = (
    pl.col("as_of") - pl.max_horizontal(_LEFT_AT, _SAID_AT)
).dt.total_seconds() / 3600  # fmt: skip

CONSENT_NOTICE = Trigger(
    name="consent_notice",
    family=FAMILY,
    meaning="they agreed to e-mail, refused it or withdrew, and the law of where they live wants "
    "them told what became of it",
    parameters={"within_days": "days since they said so, at most; the law says how many"},
    applies=lambda p: pl.col("notice_days").is_not_null() & (p["within_days"] >= _HOURS / 24),
    because=lambda p: pl.format(
        "they {} {} ago, and the law of {} wants them told what became of it",
        pl.when(_LEFT_AT.is_not_null() & (_LEFT_AT >= _SAID_AT).fill_null(True))
        .then(pl.lit("unsubscribed"))
        .when(_IS_GRANTED)
        .then(pl.lit("agreed to e-mail"))
        .otherwise(pl.lit("said no to e-mail")),
        days(_HOURS / 24),
        "legal",
    ),
    since_hours=_HOURS,
    picks="ranked",
)

TRIGGERS = (CONSENT_NOTICE,)
