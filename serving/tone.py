"""In which tone a customer likes to be spoken to, told by the e-mails that they clicked."""

from __future__ import annotations

import polars as pl

from serving.settings import ServingSettings
from serving.tables import KEY


def preferred_tones(contacts: pl.DataFrame, settings: ServingSettings) -> pl.DataFrame:
    """KEY and `preferred_tone`: the tone clicked most within a year; who clicked nothing, no row.

    `contacts` are those of features.contacts; of tones clicked alike the first in the alphabet.
    """
    clicked = contacts.filter(pl.col("clicks_same") > 0)
    if clicked.is_empty():  # the usual case, and the cheap one
        return contacts.select(*KEY, preferred_tone=pl.lit(None, pl.String)).clear()
    # An e-mail that speaks as the stage asks says nothing of a taste.
    tones = {name: email.tone for name, email in settings.emails.items() if email.tone}
    tone = pl.col("email").replace_strict(tones, default=None, return_dtype=pl.String)
    return (
        clicked.with_columns(preferred_tone=tone)
        .drop_nulls("preferred_tone")
        .group_by(*KEY, "preferred_tone")
        .agg(pl.col("clicks_same").sum())
        .sort(*KEY, "clicks_same", "preferred_tone", descending=[False, False, True, False])
        .unique(KEY, keep="first", maintain_order=True)
        .select(*KEY, "preferred_tone")
    )
