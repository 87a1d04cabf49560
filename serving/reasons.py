"""Why this e-mail at this minute, or why none: a code for machines, a sentence for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serving.scores import REFUSED
from serving.settings import PolicySettings
from serving.tables import REASON

WHOSE_HOURS = {
    "customer": "by their own hours",
    "segment": "by the hours of customers like them",
    "everyone": "by everyone's hours",
}
BORROWED = {"segment": "customers like them", "everyone": "everyone"}
BY_ACTIVITY = " (of visits and orders; too few clicks to learn from yet)"


@dataclass(frozen=True, eq=False)
class Reason:
    """A sentence that is told where `when` holds."""

    code: str
    text: pl.Expr
    when: pl.Expr

    @cached_property
    def holds(self) -> pl.Expr:
        """Whether it holds, never null; named by its code."""
        return self.when.fill_null(False).alias(self.code)

    @cached_property
    def sentence(self) -> pl.Expr:
        """One that cannot be written must not hide that its reason holds."""
        return self.text.cast(pl.String).fill_null(pl.lit(self.code)).alias(self.code)


Reasons: TypeAlias = tuple[Reason, ...]


def told(frame: pl.DataFrame, key: str, reasons: Sequence[Reason]) -> pl.DataFrame:
    """`key`, code and text of each reason that holds, in the order of `reasons`.

    Long, because few reasons hold: a list of them per row, made at once, takes a hundred times as
    long as writing out only those that are told.
    """
    everybody = np.ones(frame.height, dtype=np.bool_)
    return told_of_some(frame, key, [(everybody, tuple(reasons))])[0]


def told_of_some(
    frame: pl.DataFrame, key: str, groups: Sequence[tuple[NDArray[np.bool_], Reasons]]
) -> list[pl.DataFrame]:
    """The same of each group: the rows it is about, and its reasons.

    All are asked at once, for to ask takes longer than to answer.
    """
    asked = _flags(tuple(reasons for _, reasons in groups))
    flags = iter(frame.select(key, *asked).get_columns()[1:])
    holds = [
        [(reason, np.flatnonzero(next(flags).to_numpy() & rows)) for reason in reasons]
        for rows, reasons in groups
    ]
    held = [[(reason, places) for reason, places in group if len(places)] for group in holds]
    among = np.unique(np.concatenate([_NOWHERE, *(at for group in held for _, at in group)]))
    texts = [
        reason.sentence.alias(f"text {number}")
        for number, (reason, _) in enumerate(one for group in held for one in group)
    ]
    # Beside the key, for sentences that are the same of all are one row by themselves.
    sentences = iter(frame[among].select(key, *texts).get_columns()[1:] if texts else ())
    return [_long(frame.get_column(key), group, among, sentences) for group in held]


def _long(
    keys: pl.Series,
    held: Sequence[tuple[Reason, NDArray[np.int64]]],
    among: NDArray[np.int64],
    sentences: Iterator[pl.Series],
) -> pl.DataFrame:
    """What is held of the rows `among`, of which there is a column of `sentences` for each."""
    codes: list[str] = []
    texts: list[str] = []
    for reason, places in held:
        written = next(sentences).to_list()
        texts.extend(written[row] for row in np.searchsorted(among, places).tolist())
        codes.extend([reason.code] * len(places))
    rows = np.concatenate([_NOWHERE, *(places for _, places in held)])
    return pl.DataFrame(
        [keys[rows], pl.Series("code", codes, pl.String), pl.Series("text", texts, pl.String)]
    )


_NOWHERE = np.zeros(0, dtype=np.int64)


@lru_cache(maxsize=32)
def _flags(groups: tuple[Reasons, ...]) -> list[pl.Expr]:
    """Whether each reason holds, numbered: two groups may know the same one."""
    every = (reason for reasons in groups for reason in reasons)
    return [reason.holds.alias(f"flag {number}") for number, reason in enumerate(every)]


def listed(frames: Sequence[pl.DataFrame], key: str, name: str) -> pl.DataFrame:
    """`key` with its reasons as the list `name`, in the order of `frames`; none, no row."""
    reasons = pl.concat([frame for frame in frames if frame.height] or frames[:1])
    return reasons.group_by(key, maintain_order=True).agg(_REASON.alias(name))


_REASON = pl.struct("code", "text")


def lists_of(lists: pl.DataFrame, key: str, keys: NDArray[np.int64]) -> pl.Series:
    """The list of reasons of each of `keys`, empty where `lists` (of `listed`) has none.

    Nobody's key is below 0.
    """
    whole = lists.get_column(lists.columns[1])
    place = np.full(int(keys.max(initial=0)) + 1, -1)
    place[lists.get_column(key).to_numpy()] = np.arange(lists.height)
    if not lists.height:
        return _EMPTY.new_from_index(0, len(keys)).alias(whole.name)
    found = np.where(keys >= 0, place[keys], -1)
    if found.min(initial=0) >= 0:
        return whole[found]
    return pl.concat([whole, _EMPTY.alias(whole.name)])[np.where(found < 0, len(whole), found)]


_EMPTY = pl.Series([[]], dtype=pl.List(REASON))


def no_reasons() -> pl.Expr:
    return pl.lit([], pl.List(REASON))


@lru_cache(maxsize=8)
def send_reasons(policy: PolicySettings) -> Reasons:
    """Of the chosen arm; `top_...` is the best arm if no guardrail stood."""
    hour = _hour_text(policy)
    was_better = pl.col("top_is_worth_it") & (pl.col("top_email") != pl.col("email"))
    is_usual, is_best_hour = ~pl.col("explored_email"), ~pl.col("explored_hour")
    return (
        Reason("workflow_step", pl.col("reason"), pl.col("is_step")),
        Reason("applies", pl.col("reason"), pl.col("applies") & ~pl.col("is_step")),
        Reason(
            "only_time",
            pl.format("{} was asked for, and only its time was to be found", "email"),
            pl.col("only_time"),
        ),
        Reason(
            "explored_email",
            pl.lit("chosen by chance to learn what each e-mail brings"),
            pl.col("explored_email"),
        ),
        Reason("now", pl.format("at once: {}", hour), pl.col("leaves_now")),
        Reason("hour", hour, ~pl.col("leaves_now")),
        Reason(
            "borrowed_hour",
            pl.format(
                "too little is known of their own hours, so those of {} stand in",
                pl.col("source").replace_strict(BORROWED, default="others"),
            ),
            pl.col("source").is_in(list(BORROWED)) & is_best_hour,
        ),
        Reason(
            "explored_hour",
            pl.lit("its hour was chosen by chance to learn what each hour brings"),
            pl.col("explored_hour"),
        ),
        Reason(
            "moved",
            pl.format(
                "moved from {} to {} by their clock, for the better minute was shut: {}",
                pl.col("unconstrained_local_at").dt.strftime("%a %Y-%m-%d %H:%M"),
                pl.col("local_send_at").dt.strftime("%a %Y-%m-%d %H:%M"),
                pl.col("moved_by").list.eval(pl.element().struct.field("text")).list.join("; "),
            ),
            (pl.col("moved_by").list.len() > 0) & is_best_hour,
        ),
        Reason(
            "thin_evidence",
            pl.format(
                "{} promises {} instead of {}, but that gain is not sure by what e-mails have "
                "brought so far; at the usual rates {} does best",
                "stood_back_email",
                pl.col("stood_back_value").round(4),
                pl.col("value").round(4),
                "email",
            ),
            is_usual & (pl.col("stood_back_value") > pl.col("value")),
        ),
        Reason(
            "instead_of",
            pl.format(
                "{} would have been worth more, but {}",
                "top_email",
                pl.col("top_forbidden_by").list.first().struct.field("text"),
            ),
            was_better & (pl.col("top_forbidden_by").list.len() > 0) & is_usual,
        ),
    )


@lru_cache(maxsize=8)
def wait_reasons(currency: str, policy: PolicySettings) -> Reasons:
    """Of a row without a chosen arm, beside what forbade its best one."""
    held_out = f"they belong to the {100 * policy.holdout_share:g} % who get no e-mail"
    none_applies = pl.col("top_email").is_null()
    is_free = pl.col("top_forbidden_by").list.len() == 0
    # Where a guardrail left the best e-mail only a worse minute, that minute's value decides.
    value = pl.coalesce("top_open_value", "top_value")
    return (
        Reason(
            "holdout", pl.lit(f"{held_out}, so that its effect can be measured"), pl.col("holdout")
        ),
        Reason(
            "explored_email",
            pl.lit("chosen by chance to learn what comes of no e-mail"),
            pl.col("explored_email"),
        ),
        Reason("nothing_applies", pl.lit("no e-mail applies to them now"), none_applies),
        Reason(
            "budget_price",
            pl.format(
                f"{{}} is worth {{}} {currency} before the price of {{}} {currency} that a full "
                "budget puts on it",
                "top_email",
                (value + pl.col("top_prices")).round(6),
                pl.col("top_prices").round(6),
            ),
            ~none_applies
            & is_free  # what a guardrail forbids has no price
            & pl.col("best_arm").is_null()
            & ~pl.col("holdout")
            & (value <= 0)
            & (value + pl.col("top_prices") > 0),
        ),
        Reason(
            "not_worth_it",
            pl.coalesce(
                pl.format(f"{{}}, the best e-mail, is worth {{}} {currency}", "top_email", value),
                pl.lit("the policy in force sends none of the e-mails that apply"),
            ),
            ~none_applies & pl.col("best_arm").is_null() & (is_free | ~pl.col("top_is_worth_it")),
        ),
    )


@lru_cache(maxsize=8)
def doubts(default_zone: str) -> Reasons:
    """What was not known when deciding; part of every answer, whatever it is."""
    names = pl.col("missing_models").list.join(", ")
    return (
        Reason(
            "unknown_customer",
            pl.lit("nothing is known of them; this is the answer for anybody"),
            ~pl.col("known_customer"),
        ),
        Reason(
            "unknown_zone",
            pl.lit(f"their time zone is unknown; {default_zone} is assumed"),
            ~pl.col("timezone_known"),
        ),
        Reason(
            "degraded",
            pl.format(
                "no model {}for {}; rules stand in",
                # Who waits for a model that was refused waits for nothing.
                pl.when(names.str.contains(REFUSED, literal=True))
                .then(pl.lit(""))
                .otherwise(pl.lit("yet ")),
                names,
            ),
            pl.col("degraded"),
        ),
    )


def _hour_text(policy: PolicySettings) -> pl.Expr:
    """What the hour is worth. Hours learnt from visits and orders promise no clicks."""
    percent = ((pl.col("lift") - 1) * 100).round(0).cast(pl.Int64)
    usual = f"{policy.default_hour}:00"
    clicks = (
        pl.when(percent > 0)
        .then(pl.format(f"{{}} % more clicks expected than at {usual}", percent))
        .when(percent < 0)
        .then(pl.format(f"{{}} % fewer clicks expected than at {usual}", -percent))
        .otherwise(pl.lit(f"as many clicks expected as at {usual}"))
    )
    weight = (
        pl.when(percent > 0)
        .then(pl.format(f"it counts {{}} % more than {usual}", percent))
        .when(percent < 0)
        .then(pl.format(f"it counts {{}} % less than {usual}", -percent))
        .otherwise(pl.lit(f"it counts as much as {usual}"))
    )
    whose = pl.col("source").replace_strict(WHOSE_HOURS, default="by rule")
    return pl.format(
        "{} by their clock; {}",
        pl.col("local_send_at").dt.strftime("%a %H:%M"),
        pl.when(pl.col("source") == "default")
        .then(pl.lit("at what hours they are about is not known yet"))
        .when(pl.col("hour_evidence") == "clicks")
        .then(pl.format("{}, {}", clicks, whose))
        .otherwise(pl.format("{}, {}{}", weight, whose, pl.lit(BY_ACTIVITY))),
    )
