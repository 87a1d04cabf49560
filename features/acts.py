"""Whose act an event is, and whether it is about e-mail: said here once, for everybody."""

from __future__ import annotations

import polars as pl

from features.contracts import OWN_KINDS

# A click or an open counts as an answer unless a machine gave it: the source says so, or, in what
# features.bots.judged returns, its verdict. Judge first; a test finds who forgets.
IS_HUMAN = ~pl.col("machine").fill_null(False)

# The customer's own doing: what counts as activity.
IS_OWN = pl.col("kind").is_in(OWN_KINDS) & IS_HUMAN

# Sources differ in what they call the channel of a mail's answer (the click lands on the web): an
# event is about e-mail unless it is plainly about something else. What forbids mail counts so too.
IS_ABOUT_EMAIL = ~pl.col("channel").is_in(["push", "sms"])

# What allows e-mail must say so: this, too, errs on the side of silence.
IS_SAID_OF_EMAIL = pl.col("channel") == "email"

# A mail of ours, or an answer to one that a person gave.
IS_EMAIL = IS_ABOUT_EMAIL & (pl.col("kind").is_in(["send", "deliver"]) | IS_HUMAN)

# They agreed to something, or said again that they do; and what they agreed to is e-mail.
IS_ANY_YES = (
    (pl.col("kind") == "consent") & pl.col("reason").is_in(["granted", "reconfirmed"])
).fill_null(False)
IS_YES = (IS_ANY_YES & IS_SAID_OF_EMAIL).fill_null(False)
