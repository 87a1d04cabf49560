"""All that shut the best minute of an e-mail that leaves at another one."""

from __future__ import annotations

import numpy as np
import polars as pl

from serving.guardrails import clock_rules
from serving.hours import Numbers
from serving.instants import OPEN, Instants, shut_of
from serving.reasons import listed, lists_of, told
from serving.settings import ServingSettings
from serving.tables import REASON
from serving.whose import NOBODY, only


def all_that_shut(
    chosen: Numbers,
    arms: pl.DataFrame,
    instants: Instants,
    closed: pl.DataFrame,
    settings: ServingSettings,
) -> pl.Series:
    """Of each of the `chosen` (rows of `arms`, NOBODY = none) all that shut its best minute.

    Empty where that is open, and where nothing is chosen. `closed` are times that are shut to a
    person, columns of serving.frequency.CLOSED. What was named first stays first; of a code that
    shuts the minute more than once, what shuts it longest is told.
    """
    named = arms.get_column("best_shut").fill_null(OPEN).to_numpy()
    sent = np.flatnonzero(chosen != NOBODY)
    moved: Numbers = sent[named[chosen[sent]] != OPEN]
    if len(moved):
        theirs = arms[chosen[moved]]
        at = theirs.get_column("unconstrained_at").cast(pl.Int64).to_numpy()
        found: list[dict[str, str]] = [
            {code: text}
            for code, text in only(instants.reasons, ("code", "text"))[named[chosen[moved]]].rows()
        ]
        for place, code, text in (
            *_by_frequency(theirs, at, closed, settings),
            *_by_clock(theirs, settings),
        ):
            found[place].setdefault(code, text)
        shown = pl.DataFrame(
            [
                (place, code, text)
                for place, shut in enumerate(found)
                for code, text in shut.items()
            ],
            schema={"place": pl.UInt32, "code": pl.String, "text": pl.String},
            orient="row",
        )
        whose = np.full(len(chosen), NOBODY)
        whose[moved] = np.arange(len(moved))
        return lists_of(listed([shown], "place", "moved_by"), "place", whose)
    return _OPEN.new_from_index(0, len(chosen))


_OPEN = pl.Series("moved_by", [[]], pl.List(REASON))


def _by_frequency(
    theirs: pl.DataFrame, at: Numbers, closed: pl.DataFrame, settings: ServingSettings
) -> list[tuple[int, str, str]]:
    if closed.is_empty():
        return []
    whose, rule = shut_of(theirs, closed, settings)
    opens, ends = (
        closed.get_column(name).cast(pl.Int64).to_numpy()[rule]
        for name in ("closed_from", "closed_until")
    )
    holds = (opens < at[whose]) & (ends > at[whose])
    texts = only(closed, ("code", "text"))[rule[holds]].rows()
    # What overrules comes last there.
    found = zip(whose[holds].tolist(), texts, strict=True)
    return [(place, code, text) for place, (code, text) in reversed(list(found))]


def _by_clock(theirs: pl.DataFrame, settings: ServingSettings) -> list[tuple[int, str, str]]:
    local_at = theirs.get_column("unconstrained_local_at").alias("local_at")
    frame = only(theirs, ["mail_class"]).hstack(
        [local_at, local_at.dt.hour().cast(pl.Int64).alias("hour")]
    )
    return told(frame.with_row_index("place"), "place", clock_rules(settings.policy)).rows()
