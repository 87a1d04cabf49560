"""First verdicts: which opens and clicks a machine gave, although nobody said so.

A verdict belongs to a moment: it comes of the events that are handed in, so whoever hands in what
was known at `as_of` gets what could be judged then. Permissions never ask: an unsubscribe counts,
whoever clicked it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rule:
    """A way of knowing a machine; of several that apply to an event the first gives the reason."""

    reason: str
    meaning: str


FEWEST_LINKS = 3
BURST = timedelta(seconds=2)
AT_ONCE = timedelta(seconds=5)
# Gateways read a mail while they take it in, so its delivery may be told seconds after that.
BEFORE_DELIVERY = timedelta(minutes=1)
FETCHED = timedelta(minutes=30)
FEWEST_MAILS = 5
FETCHED_OF_4 = 3

RULES = (
    Rule("flagged", "the source says that a machine did it"),
    Rule(
        "burst",
        f"one of {FEWEST_LINKS} or more different links that were clicked within "
        f"{BURST.seconds} seconds",
    ),
    Rule(
        "at_once",
        f"within {AT_ONCE.seconds} seconds of the delivery of the mail or of its sending, or in "
        "the minute before its delivery; says nothing where a source tells whole minutes only",
    ),
    Rule(
        "fetched",
        f"an open within {FETCHED.seconds // 60} minutes of delivery, by somebody of whose mails "
        f"(at least {FEWEST_MAILS}) three quarters were opened so soon: their app does that",
    ),
)
REASONS = pl.Enum([rule.reason for rule in RULES])
_NOBODY = pl.DataFrame(schema={"place": pl.get_index_type(), "bot": REASONS})

_IS_ANSWER = (pl.col("kind") == "open") | (pl.col("kind") == "click")
_IS_MAIL = (pl.col("kind") == "deliver") | (pl.col("kind") == "send")
_MINUTE = 60_000_000
_BURST, _AT_ONCE, _BEFORE_DELIVERY, _FETCHED = (
    span // timedelta(microseconds=1) for span in (BURST, AT_ONCE, BEFORE_DELIVERY, FETCHED)
)


def judged(history: pl.DataFrame) -> pl.DataFrame:
    """HISTORY rows with `bot`, the reason why an event is a machine's, null if it is a person's;
    `machine` is true where there is a reason, so that features.acts sees the verdict.

    In the order given. Filter by `known_at` first: what came later would be evidence, too.
    """
    numbered = history.with_columns(row=pl.col("customer_id").rank("dense").cast(pl.UInt32))
    found = behaving_like_machines(numbered, "row")
    return (
        history.with_row_index("place")
        .join(found, on="place", how="left", maintain_order="left")
        .drop("place")
        .with_columns(bot=pl.when("machine").then(_of("flagged")).otherwise("bot"))
        .with_columns(machine=pl.col("bot").is_not_null())
    )


def behaving_like_machines(acts: pl.DataFrame, whose: str) -> pl.DataFrame:
    """`place` (row of `acts`) and `bot` (the reason) of the answers that no person gave.

    `whose` names the column of small integers that says whose past a row belongs to: nobody's
    verdict depends on others. `acts` has kind, at, message_id, email and link beside it. The
    source's own flag is not asked here.
    """
    answers = acts.with_row_index("place").filter(_IS_ANSWER)
    if answers.is_empty():
        return _NOBODY
    mails = acts.filter(_IS_MAIL).select(
        whose, "message_id", mail_kind="kind", mail_at="at", mail_email="email"
    )
    found = [_bursts(answers, whose), *_soon(_with_their_mail(answers, mails, whose), mails, whose)]
    found = [some for some in found if len(some)]
    if not found:
        return _NOBODY
    return pl.concat(found).unique("place", keep="first", maintain_order=True)


# Frames of one customer are small: questions that mostly end in "no" are asked of arrays, since
# each query of a frame would cost a live request more time than all of these together.


def _bursts(answers: pl.DataFrame, whose: str) -> pl.DataFrame:
    """Clicks among FEWEST_LINKS different links within BURST."""
    clicks = answers.filter(pl.col("kind") == "click")
    if clicks.height < FEWEST_LINKS or not _are_any_so_dense(clicks, whose):
        return _NOBODY
    clicks = clicks.select(whose, "at", "link", "place").drop_nulls("link").sort(whose, "at")
    starts = clicks.rolling("at", period=BURST, offset="0s", closed="both", group_by=whose).agg(
        is_start=pl.col("link").n_unique() >= FEWEST_LINKS,
        # Of a source that tells whole minutes only, nobody knows how soon one click came.
        is_coarse=(pl.col("at").max() == pl.col("at").min())
        & (pl.col("at").dt.epoch("us") % _MINUTE == 0).first(),
    )
    # A burst begins at a click whose next seconds hold enough links, and lasts these seconds.
    began = pl.when(pl.col("is_start") & ~pl.col("is_coarse")).then("at")
    return (
        pl.concat([clicks, starts.select("is_start", "is_coarse")], how="horizontal")
        .with_columns(began=began.forward_fill().over(whose))
        .filter(pl.col("at") - pl.col("began") <= BURST)
        .select("place", bot=_of("burst"))
    )


def _are_any_so_dense(clicks: pl.DataFrame, whose: str) -> bool:
    """Whether FEWEST_LINKS clicks of anybody lie within BURST, whatever they lead to."""
    at, owner = _micros(clicks, "at"), clicks.get_column(whose).to_numpy()
    order = np.lexsort((at, owner))
    at, owner, further = at[order], owner[order], FEWEST_LINKS - 1
    is_dense = (at[further:] - at[:-further] <= _BURST) & (owner[further:] == owner[:-further])
    return bool(is_dense.any())


def _soon(answers: pl.DataFrame, mails: pl.DataFrame, whose: str) -> list[pl.DataFrame]:
    """Answers that come at once, and opens of who has nearly every mail opened soon."""
    at, mail_at = _micros(answers, "at"), _micros(answers, "mail_at")
    wait = at - mail_at
    is_delivery = (answers.get_column("mail_kind") == "deliver").to_numpy()
    is_early = wait < np.where(is_delivery, -_BEFORE_DELIVERY, 0)
    is_coarse = (at % _MINUTE == 0) & (mail_at % _MINUTE == 0)
    at_once = (wait <= _AT_ONCE) & ~is_early & ~is_coarse
    found = []
    if at_once.any():
        found.append(answers.filter(pl.Series(at_once)).select("place", bot=_of("at_once")))
    is_open = (answers.get_column("kind") == "open").to_numpy()
    fetched = is_open & is_delivery & (wait <= _FETCHED) & ~is_early
    if fetched.sum() >= FEWEST_MAILS:
        found.append(_by_apps(answers.filter(pl.Series(fetched)), mails, whose))
    return found


def _by_apps(fetched: pl.DataFrame, mails: pl.DataFrame, whose: str) -> pl.DataFrame:
    """Of opens that came soon, those of who has nearly every mail opened so."""
    theirs = fetched.get_column(whose).to_numpy()
    opens = np.bincount(theirs)
    deliveries = mails.get_column(whose).filter(mails.get_column("mail_kind") == "deliver")
    delivered = np.bincount(deliveries.to_numpy(), minlength=len(opens))[: len(opens)]
    is_by_app = (delivered >= FEWEST_MAILS) & (opens * 4 >= delivered * FETCHED_OF_4)
    if not is_by_app.any():
        return _NOBODY
    # A mail that was opened twice is one mail.
    mails_opened = fetched.unique([whose, "message_id"]).get_column(whose).to_numpy()
    is_by_app &= np.bincount(mails_opened) * 4 >= delivered * FETCHED_OF_4
    return fetched.filter(pl.Series(is_by_app[theirs])).select("place", bot=_of("fetched"))


def _with_their_mail(answers: pl.DataFrame, mails: pl.DataFrame, whose: str) -> pl.DataFrame:
    """Answers beside each sending and delivery of their mail (`mail_at`, `mail_kind`).

    Where an answer names no message, its mail is the one nearest in time, unless both say which
    e-mail they are about and do not agree.
    """
    known = answers.join(mails, on=[whose, "message_id"])
    if not answers.get_column("message_id").has_nulls():
        return known
    nearest = (
        answers.filter(pl.col("message_id").is_null())
        .sort("at")
        .join_asof(
            mails.sort("mail_at"),
            left_on="at",
            right_on="mail_at",
            by=whose,
            strategy="nearest",
            tolerance=BEFORE_DELIVERY,
            coalesce=False,
            check_sortedness=False,  # both sides were just sorted
        )
        .filter(
            pl.col("mail_at").is_not_null(),
            (pl.col("email") == pl.col("mail_email")).fill_null(True),
        )
        .with_columns(message_id="message_id_right")
    )
    return pl.concat([known, nearest.select(known.columns)])


def _micros(frame: pl.DataFrame, column: str) -> NDArray[np.int64]:
    return frame.get_column(column).to_physical().to_numpy()


def _of(reason: str) -> pl.Expr:
    return pl.lit(reason, dtype=REASONS)
