"""What a customer has had of each e-mail of the catalogue, and how they took it."""

from __future__ import annotations

import polars as pl

from features.feature import DAY, happened, per
from features.past import Past, past_of, portions
from features.settings import FeatureSettings
from features.tables import CUSTOMERS

# Days and counts know no time zone, so nobody needs to be asked for one.
_NOBODY = CUSTOMERS.schema.create_empty()

_IS_SENT = happened("send", where=pl.col("is_email"))
_IS_SENT_LATELY = happened("send", days=365, where=pl.col("is_email"))
_IS_CLICKED = happened("click", days=365, where=pl.col("is_email"))
_IS_CONTACT = (
    pl.col("kind").is_in(["send", "click"]) & pl.col("is_email") & pl.col("email").is_not_null()
)
_COLUMNS = (
    per(pl.when(_IS_SENT).then("age").min(), DAY).alias("days_since_same"),
    _IS_SENT_LATELY.sum().cast(pl.Float64).alias("sends_same"),
    _IS_CLICKED.sum().cast(pl.Float64).alias("clicks_same"),
)

MEANINGS = {
    "days_since_same": "days since they were last sent this e-mail; null if never",
    "sends_same": "how often they were sent this e-mail within a year",
    "clicks_same": "how often a person clicked this e-mail within a year",
}


def contacts_as_of(
    history: pl.DataFrame, spine: pl.DataFrame, *, settings: FeatureSettings
) -> pl.DataFrame:
    """Long: one row per e-mail that a customer was sent, or clicked, before `as_of`.

    customer_id, as_of, email and MEANINGS. Who had no e-mail with a name has no row.
    """
    portion_by_portion = [
        contacts_of(
            past_of(
                history,
                portion,
                _NOBODY,
                default_timezone=settings.default_timezone,
                limit=settings.newest_events,
            )
        )
        for portion in portions(history, spine)
    ]
    return pl.concat(portion_by_portion)


def contacts_of(past: Past) -> pl.DataFrame:
    """`contacts_as_of` for a past that is there already, in the order of its rows."""
    found = past.lines.filter(_IS_CONTACT).group_by("row", "email").agg(_COLUMNS)
    found = found.sort("row", "email") if found.height > 1 else found
    whose = past.rows.select("customer_id", "as_of")[found.get_column("row")]
    return whose.hstack(found.drop("row"))
