"""How often one customer is written to: times in which one more e-mail would be one too many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from features.feature import DAY, HOUR
from serving.brake import Brake, caps_under
from serving.guardrail_settings import CAPPED, MARKETING, TRANSACTIONAL, MailClass
from serving.settings import ServingSettings
from serving.tables import UTC

# Guardrails of frequency, by name; their sentences hold the merchant's own figures.
FREQUENCY: Mapping[str, str] = {
    "cap_24h": "no more e-mails of a class than its cap in any 24 hours, "
    "sent and promised mails together",
    "cap_7d": "no more of a class than its cap in any 7 days",
    "cap_30d": "no more of a class than its cap in any 30 days",
    "min_gap": "hours of peace between two e-mails of a class, and between the classes",
    "repeat": "the same e-mail does not come again so soon; a transactional one does where it is "
    "asked for by name, or where what it is about happened after it last left",
}
CLOSED = pl.Schema(
    {
        "person": pl.UInt32(),
        "forbids": pl.String(),  # this e-mail, null = any of the class
        "of_class": pl.String(),  # e-mails of this class, null = any
        "code": pl.String(),
        "text": pl.String(),
        "closed_from": UTC,
        "closed_until": UTC,
    }
)
Numbers = npt.NDArray[np.int64]
CLASSES = get_args(MailClass)
REPEAT = "repeat"


# Of an arm beside a time of CLOSED: a receipt is owed for each order, however soon the next one
# comes, but not twice for one. A time closed for a repeat lies evenly around the mail before.
IS_OWED_ANEW = (
    (pl.col("code") == REPEAT)
    & (pl.col("mail_class") == TRANSACTIONAL)
    & (
        pl.col("only_time")
        | (
            pl.col("happened_at")
            > pl.col("closed_from") + (pl.col("closed_until") - pl.col("closed_from")) / 2
        )
    )
).fill_null(False)


@dataclass(frozen=True)
class _Rule:
    """At most `count` e-mails of the classes `counts` lie within any `window` (microseconds).

    One more of the class `of_class` is too many. The sentence is `before`, when the mail left, and
    `after`; without `tells_when` it is `before` alone.
    """

    code: str
    count: int
    window: int
    counts: tuple[str, ...]
    of_class: str
    before: str
    after: str
    tells_when: bool


def class_of(settings: ServingSettings) -> pl.Expr:
    """The class of the e-mail in the column `email`; one that nobody knows wanted to sell."""
    classes = {name: email.mail_class for name, email in settings.emails.items()}
    return pl.col("email").replace_strict(
        list(classes), list(classes.values()), default=MARKETING, return_dtype=pl.String
    )


def closed_times(mails: pl.DataFrame, settings: ServingSettings, brake: Brake) -> pl.DataFrame:
    """Open intervals of time in which one more e-mail would break a rule of frequency: CLOSED.

    `mails`: person, as_of, email, at of what was sent or promised. Where `count` mails lie closer
    together than a window, one more must be a window away from the last of them, or from the
    first: promised mails may lie ahead, so both sides count.
    """
    if mails.is_empty():
        return CLOSED.to_frame()
    ordered = mails.select("person", "as_of", "email", "at").sort("person", "at", "email")
    emails = ordered.get_column("email").to_list()
    classes = {name: email.mail_class for name, email in settings.emails.items()}
    mail_class = np.array([CLASSES.index(classes.get(email, MARKETING)) for email in emails])
    person, at, as_of = (
        ordered.get_column(name).cast(pl.Int64).to_numpy() for name in ("person", "at", "as_of")
    )
    told: list[_Shut] = []
    for rule in _rules(settings, brake):
        among = np.flatnonzero(np.isin(mail_class, [CLASSES.index(name) for name in rule.counts]))
        first, last = among[: max(len(among) - rule.count + 1, 0)], among[rule.count - 1 :]
        shuts = (
            (person[first] == person[last])
            & (at[last] - at[first] < rule.window)
            & (at[first] + rule.window > as_of[first])
        )
        first, last = first[shuts], last[shuts]
        if len(first):
            told.append(_Shut(rule, first, at[last] - rule.window, at[first] + rule.window))
    again = _windows(settings)
    window = np.array([again.get(email, 0) for email in emails])
    again_shut = np.flatnonzero((at + window > as_of) & (window > 0))
    return _closed(ordered, told, again_shut, window[again_shut], settings)


@dataclass(frozen=True)
class _Shut:
    """What a rule shuts: for the mails `first` of the ordered ones, from when until when."""

    rule: _Rule
    first: Numbers
    opens: Numbers
    ends: Numbers


def _closed(
    ordered: pl.DataFrame,
    told: list[_Shut],
    again: Numbers,
    window: Numbers,
    settings: ServingSettings,
) -> pl.DataFrame:
    """CLOSED of what rules shut, and of mails that must not come `again` within a `window`."""
    mails = ordered[np.concatenate([*(shut.first for shut in told), again])]
    at = mails.get_column("at").cast(pl.Int64).to_numpy()[mails.height - len(again) :]
    emails = mails.get_column("email").to_list()[mails.height - len(again) :]

    def each(of_rule: Callable[[_Rule], str | None]) -> list[str | None]:
        return [of_rule(shut.rule) for shut in told for _ in range(len(shut.first))]

    days = [
        f", and comes again after {int(settings.emails[name].repeat_days)} days" for name in emails
    ]
    tells = [*each(lambda rule: "when" if rule.tells_when else None), *("when" for _ in emails)]
    whole = mails.select("person", "as_of", "at").with_columns(
        pl.Series("tells", tells, pl.String),
        pl.Series("before", [*each(lambda rule: rule.before), *("it " for _ in emails)], pl.String),
        pl.Series("after", [*each(lambda rule: rule.after), *days], pl.String),
    )
    return pl.DataFrame(
        [
            whole.get_column("person").cast(pl.UInt32),
            pl.Series("forbids", [*each(lambda rule: None), *emails], pl.String),
            pl.Series(
                "of_class", [*each(lambda rule: rule.of_class), *(None for _ in emails)], pl.String
            ),
            pl.Series(
                "code", [*each(lambda rule: rule.code), *(REPEAT for _ in emails)], pl.String
            ),
            whole.select(_TEXT).to_series(),
            pl.Series("closed_from", np.concatenate([*(s.opens for s in told), at - window])).cast(
                UTC
            ),
            pl.Series("closed_until", np.concatenate([*(s.ends for s in told), at + window])).cast(
                UTC
            ),
        ]
    )


@lru_cache(maxsize=8)
def _windows(settings: ServingSettings) -> Mapping[str, int]:
    """By e-mail: how long it does not come again, in microseconds."""
    return {
        name: round(email.repeat_days * DAY)
        for name, email in settings.emails.items()
        if email.repeat_days
    }


@lru_cache(maxsize=8)
def _rules(settings: ServingSettings, brake: Brake) -> tuple[_Rule, ...]:
    return tuple(_rules_of(settings, brake))


def _rules_of(settings: ServingSettings, brake: Brake) -> Iterator[_Rule]:
    caps = caps_under(brake, settings.caps)
    for name in CAPPED:
        of_class = getattr(caps, name)
        is_halved = of_class != getattr(settings.caps, name)
        for code, cap, days, window in (
            ("cap_24h", of_class.per_24h, 1, "24 hours"),
            ("cap_7d", of_class.per_7d, 7, "7 days"),
            ("cap_30d", of_class.per_30d, 30, "30 days"),
        ):
            mails = f"1 {name} e-mail" if cap == 1 else f"{cap} {name} e-mails"
            text = f"{mails} in {window} is the most, sent and promised together"
            halved = f" (halved, for {brake.because})" if is_halved else ""
            yield _Rule(code, cap, days * DAY, (name,), name, text + halved, "", False)
        yield _gap((name,), name, of_class.min_gap_hours, f"a {name} e-mail ", "two of them")
        yield _gap(CAPPED, name, caps.all.min_gap_hours, "an e-mail ", "any two")


def _gap(counts: tuple[str, ...], of_class: str, gap: float, what: str, whom: str) -> _Rule:
    peace = f", and {gap:g} hours of peace lie between {whom}"
    return _Rule("min_gap", 1, round(gap * HOUR), counts, of_class, what, peace, True)


def _when_it_leaves() -> pl.Expr:
    """ "left 5 hours ago" or "is promised for in 3 hours".

    That a mail left is known a while later; till then it is one that was promised.
    """
    ago = (pl.col("as_of") - pl.col("at")).dt.total_seconds() / 3600
    ahead = (-ago).ceil().cast(pl.Int64)
    return (
        pl.when(ago >= 48)
        .then(pl.format("left {} days ago", (ago / 24).floor().cast(pl.Int64)))
        .when(ago >= 2)
        .then(pl.format("left {} hours ago", ago.floor().cast(pl.Int64)))
        .when(ago >= 1)
        .then(pl.lit("left 1 hour ago"))
        .when(ago >= 0)
        .then(pl.lit("left, or was promised for, less than an hour ago"))
        .when(ahead > 1)
        .then(pl.format("is promised for in {} hours", ahead))
        .otherwise(pl.lit("is promised for within the hour"))
    )


_TEXT = (
    pl.when(pl.col("tells").is_null())
    .then("before")
    .otherwise(pl.format("{}{}{}", "before", _when_it_leaves(), "after"))
    .alias("text")
)
