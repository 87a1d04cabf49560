"""The instants of e-mails that compete: what shuts each, what it is worth, which one is best.

There are some hundred thousand of them for a thousand customers, so they are numbers in long
columns; words are laid beside the few that are told of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.feature import HOUR
from serving.brake import Brake
from serving.frequency import CLASSES, REPEAT
from serving.guardrail_settings import TRANSACTIONAL
from serving.guardrails import OF_ARMS, OF_CUSTOMERS, braked, clock_rules
from serving.hours import Floats, Numbers, instants_of, with_pull
from serving.reasons import Reasons, listed, lists_of, told
from serving.settings import ServingSettings
from serving.tables import REASON
from serving.valuation import OWN, Valuation, with_worth
from serving.whose import NOBODY, gathered, nullable, only

Bools = NDArray[np.bool_]
_CLASSES = {name: number for number, name in enumerate(CLASSES)}
NOT_NAMED, UNHEARD_OF = -1, -2

FORBIDDING_CUSTOMERS = tuple(rule.reason for rule in OF_CUSTOMERS)
FORBIDDING = (*FORBIDDING_CUSTOMERS, *(rule.reason for rule in OF_ARMS))

# Where nothing stands in the way, and the policy would send at all. What shuts an instant is told
# by its place in `Instants.reasons`.
OPEN = -1
IS_OPEN = (pl.col("shut") == OPEN) & pl.col("worth").is_not_null()

# What is told of an instant that was chosen, and of the best one if nothing were shut.
TOLD = {
    "pull": "pull", "waited": "waited", "lift": "lift", "freshness": "freshness",
    "curve": "source", "leaves_now": "leaves_now", "value": "value", "worth": "worth",
    "at": "send_at", "local_at": "local_send_at",
}  # fmt: skip
TOLD_OF_BEST = {
    "at": "unconstrained_at", "local_at": "unconstrained_local_at",
    "pull": "unconstrained_pull", "waited": "unconstrained_waited",
    "value": "unconstrained_value", "worth": "unconstrained_worth", "shut": "best_shut",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Instants:
    """One row per instant of each arm that competes, by arm and then by time.

    `frame`: arm, instant (its own place), whose (the arm's place among those that compete), at,
    local_at, begins, hour, slot, leaves_now, pull, waited, value, worth, and `shut`: OPEN, or a row
    of `reasons` (columns REASON). `sources` tells whose hours each `curve` is.
    """

    frame: pl.DataFrame
    reasons: pl.DataFrame
    sources: pl.Series


def valued_instants(
    arms: pl.DataFrame,
    curves: pl.DataFrame,
    closed: pl.DataFrame,
    *,
    settings: ServingSettings,
    valuation: Valuation,
) -> Instants:
    """The instants of the arms that compete, what shuts each, and its worth.

    `closed` holds the times that are shut to a person, columns of serving.frequency.CLOSED.
    """
    found = instants_of(arms)
    whose = found.get_column("whose").to_numpy()
    people = arms.get_column("person").cast(pl.Int64).to_numpy()
    found = with_pull(
        found, people[whose], arms.get_column("half_life_hours").to_numpy()[whose], curves
    ).with_row_index("instant")
    shut = _by_frequency(found, arms, closed, settings)
    by_clock = clock_rules(settings.policy)
    shut = _by_clock(found, arms, shut, by_clock, after=closed.height)
    reasons = _table(closed, by_clock)
    valued = _with_worth(found, arms, shut, reasons, valuation)
    return _at_hour_of_experiment(Instants(valued, reasons, curves.get_column("source")), arms)


def _by_frequency(
    instants: pl.DataFrame, arms: pl.DataFrame, closed: pl.DataFrame, settings: ServingSettings
) -> Numbers:
    """Of each instant: the row of `closed` that shuts it, or OPEN.

    Of the rules that shut an instant the one that lasts longest is named.
    """
    shut = np.full(instants.height, OPEN)
    if closed.is_empty() or instants.is_empty():
        return shut
    arm_of, rule = shut_of(arms, closed, settings)
    # The instants of an arm lie together and in order, so a time that is closed is a range of them.
    at, whose = (instants.get_column(name).cast(pl.Int64).to_numpy() for name in ("at", "whose"))
    least = int(at.min())
    span = int(at.max()) - least + 2
    keys = whose * span + (at - least)
    arm = arm_of * span
    opens, ends = (
        closed.get_column(name).cast(pl.Int64).to_numpy()[rule] - least
        for name in ("closed_from", "closed_until")
    )
    begin = np.searchsorted(keys, arm + np.clip(opens, -1, span - 1), side="right")
    end = np.searchsorted(keys, arm + np.clip(ends, 0, span - 1), side="left")
    length = np.maximum(end - begin, 0)
    steps = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    shut[np.repeat(begin, length) + steps] = np.repeat(rule, length)
    return shut


def shut_of(
    arms: pl.DataFrame, closed: pl.DataFrame, settings: ServingSettings
) -> tuple[Numbers, Numbers]:
    """Arms and the rows of `closed` that are about them; what comes later overrules.

    A receipt is owed for each order, however soon the next one comes, but not twice for one: a time
    that is closed for a repeat lies evenly around the mail before.
    """
    # What lasts longest overrules.
    order = (
        closed.select("closed_until", "code", "text", rule=pl.int_range(pl.len()))
        .sort("closed_until", "code", "text", "rule", descending=[False, True, True, True])
        .get_column("rule")
        .to_numpy()
    )
    of_person = closed.get_column("person").to_numpy()[order]
    by_person = np.argsort(of_person, kind="stable")
    order, of_person = order[by_person], of_person[by_person]
    people = arms.get_column("person").to_numpy()
    first = np.searchsorted(of_person, people, side="left")
    length = np.searchsorted(of_person, people, side="right") - first
    whose = np.repeat(np.arange(arms.height), length)
    place = np.arange(len(whose)) - np.repeat(np.cumsum(length) - length - first, length)
    rule = order[place]

    places = {name: place for place, name in enumerate(settings.emails)}
    forbids, classes = (
        np.array([NOT_NAMED if name is None else numbers.get(name, UNHEARD_OF) for name in names])
        for names, numbers in (
            (closed.get_column("forbids").to_list(), places),
            (closed.get_column("of_class").to_list(), _CLASSES),
        )
    )
    mail_class = _class_numbers(arms)
    is_about = (forbids[rule] == NOT_NAMED) | (
        forbids[rule] == arms.get_column("place").cast(pl.Int64).to_numpy()[whose]
    )
    is_about &= (classes[rule] == NOT_NAMED) | (classes[rule] == mail_class[whose])
    owed = mail_class == _CLASSES[TRANSACTIONAL]
    if owed.any():
        opens, ends = (
            closed.get_column(name).cast(pl.Int64).to_numpy()
            for name in ("closed_from", "closed_until")
        )
        since = np.round(arms.get_column("since_hours").to_numpy() * HOUR)
        happened = arms.get_column("as_of").cast(pl.Int64).to_numpy() - since
        is_repeat = (closed.get_column("code") == REPEAT).to_numpy()[rule]
        only_time = arms.get_column("only_time").to_numpy()
        happened_since = happened[whose] > (opens + (ends - opens) // 2)[rule]
        is_about &= ~(owed[whose] & is_repeat & (only_time[whose] | happened_since))
    whose, rule = whose[is_about], rule[is_about]
    # Of one arm the rules come in their order, and no instant belongs to two arms.
    return whose, rule


def _class_numbers(arms: pl.DataFrame) -> Numbers:
    return np.array([_CLASSES[name] for name in arms.get_column("mail_class").to_list()])


def _by_clock(
    instants: pl.DataFrame, arms: pl.DataFrame, shut: Numbers, rules: Reasons, *, after: int
) -> Numbers:
    """The same, where nothing else shuts it, by the rules of the clock; the first one is named."""
    classes = arms.get_column("mail_class").cast(pl.Enum(list(CLASSES)))
    mail_class = classes[instants.get_column("whose")]
    read = [instants.get_column(name) for name in ("hour", "local_at")]
    holds = pl.DataFrame([*read, mail_class.alias("mail_class")]).select(
        rule.holds for rule in rules
    )
    for place, column in reversed(list(enumerate(holds.iter_columns()))):
        shut = np.where(column.to_numpy() & ((shut == OPEN) | (shut >= after)), after + place, shut)
    return shut


def _table(closed: pl.DataFrame, by_clock: Reasons) -> pl.DataFrame:
    """Columns code and text of whatever may shut an instant."""
    return pl.concat([only(closed, ("code", "text")), _words(by_clock)])


@lru_cache(maxsize=8)
def _words(rules: Reasons) -> pl.DataFrame:
    texts = [pl.select(rule.text.cast(pl.String)).item() for rule in rules]
    codes = [rule.code for rule in rules]
    return pl.DataFrame({"code": codes, "text": texts}, {"code": pl.String, "text": pl.String})


def _with_worth(
    instants: pl.DataFrame,
    arms: pl.DataFrame,
    shut: Numbers,
    reasons: pl.DataFrame,
    valuation: Valuation,
) -> pl.DataFrame:
    marked = instants.with_columns(shut=pl.Series(shut))
    if valuation is not OWN:  # whoever brings another one may ask what shuts an instant
        marked = marked.with_columns(shut_by=_reason_of(marked.get_column("shut"), reasons))
    return with_worth(marked, arms, valuation)


def _reason_of(shut: pl.Series, reasons: pl.DataFrame) -> pl.Series:
    """The reason of each, null where it is open."""
    place = shut.to_frame("shut").select(pl.when(pl.col("shut") != OPEN).then("shut")).to_series()
    told_of = reasons.select(pl.struct("code", "text").cast(REASON).alias("reason"))
    return told_of.select(pl.col("reason").gather(place)).to_series()


def _at_hour_of_experiment(instants: Instants, arms: pl.DataFrame) -> Instants:
    """Shut the other hours of an e-mail that an experiment sends at one hour only.

    Where nothing is open at that hour, the e-mail goes as it would without the experiment: an
    experiment never keeps a mail back, and it opens nothing that is shut.
    """
    bound = arms.get_column("only_hour")
    if bound.null_count() == len(bound):
        return instants
    hours = bound.unique().drop_nulls().sort()
    elsewhere = pl.DataFrame(
        {
            "code": ["experiment_hour"] * len(hours),
            "text": [f"an experiment sends it at {hour}:00 by their clock" for hour in hours],
        }
    )
    reason_of = {hour: instants.reasons.height + place for place, hour in enumerate(hours)}
    frame = instants.frame.with_columns(only_hour=bound[instants.frame.get_column("whose")])
    is_there = (pl.col("hour") == pl.col("only_hour")).fill_null(False)
    shuts = (IS_OPEN & is_there).any().over("arm") & IS_OPEN & ~is_there
    reason = pl.col("only_hour").replace_strict(reason_of, return_dtype=pl.Int64)
    return Instants(
        frame.with_columns(shut=pl.when(shuts).then(reason).otherwise("shut")).drop("only_hour"),
        pl.concat([instants.reasons, elsewhere]),
        instants.sources,
    )


def with_best_instants(arms: pl.DataFrame, instants: Instants, brake: Brake) -> pl.DataFrame:
    """Add the best open `instant`, the best of all, and `forbidden_by`: what leaves no instant.

    Of instants of equal worth the one with more pull, then the earlier. `hours` counts the open.
    """
    frame = instants.frame
    worth_of = frame.get_column("worth")
    may_be = worth_of.is_not_null().to_numpy()
    is_open = (frame.get_column("shut").to_numpy() == OPEN) & may_be
    whose = frame.get_column("whose").to_numpy()
    starts = np.flatnonzero(np.diff(whose, prepend=-1))
    best, top = np.full(arms.height, NOBODY), np.full(arms.height, NOBODY)
    count = np.zeros(arms.height, dtype=np.uint32)
    if len(starts):
        worth, pull = worth_of.fill_null(0.0).to_numpy(), frame.get_column("pull").to_numpy()
        there = whose[starts]
        best[there] = _best(worth, pull, is_open, starts)
        top[there] = _best(worth, pull, may_be, starts)
        count[there] = np.add.reduceat(is_open.astype(np.uint32), starts)
    forbidden = listed(
        [
            told(arms, "arm", (*FORBIDDING, braked(brake).reason)),
            _shut(instants, arms, whose, best == NOBODY, may_be),
        ],
        "arm",
        "forbidden_by",
    )
    return arms.hstack(
        [
            nullable(best).alias("instant"),
            pl.Series("hours", count, pl.UInt32),
            *told_at(top, instants, TOLD_OF_BEST),
            *told_at(best, instants, TOLD),
            lists_of(forbidden, "arm", arms.get_column("arm").cast(pl.Int64).to_numpy()),
        ]
    )


def _shut(
    instants: Instants, arms: pl.DataFrame, whose: Numbers, without: Bools, may_be: Bools
) -> pl.DataFrame:
    """arm, code and text of what leaves no instant to an arm, each code once, the earliest."""
    shut = instants.frame.get_column("shut").to_numpy()
    is_shut = shut != OPEN
    all_shut = np.bincount(whose, ~is_shut, minlength=len(without)) == 0
    # What was never to be sent, though it might, is not forbidden.
    told_of = np.flatnonzero(without[whose] & is_shut & (may_be | all_shut[whose]))
    pairs = whose[told_of] * instants.reasons.height + shut[told_of]
    told_of = told_of[np.sort(np.unique(pairs, return_index=True)[1])]
    reasons = only(instants.reasons, ("code", "text"))[shut[told_of]]
    whom = only(arms, ["arm"])[whose[told_of]]
    return whom.hstack(reasons.get_columns()).unique(
        ["arm", "code"], keep="first", maintain_order=True
    )


def told_at(places: Numbers, instants: Instants, names: dict[str, str]) -> list[pl.Series]:
    """These columns of the instants at `places` (NOBODY gives null) under other names."""
    found = gathered(only(instants.frame, names), places)
    return [
        (instants.sources[column.cast(pl.UInt32)] if name == "curve" else column).alias(told)
        for (name, told), column in zip(names.items(), found.get_columns(), strict=True)
    ]


def _best(worth: Floats, pull: Floats, among: Bools, starts: Numbers) -> Numbers:
    """Of each arm the instant of the highest worth, of equals of the highest pull, of these the
    earliest; NOBODY where none is `among` them. Instants of an arm begin at `starts`.
    """
    length = np.diff(np.append(starts, len(worth)))

    def highest(values: Floats, of: Bools) -> Bools:
        told_of = np.where(of, values, -np.inf)
        most = np.repeat(np.maximum.reduceat(told_of, starts), length)
        tops: Bools = of & (told_of == most)
        return tops

    is_best = highest(pull, highest(worth, among))
    nowhere = len(worth)
    first: Numbers = np.minimum.reduceat(np.where(is_best, np.arange(nowhere), nowhere), starts)
    return np.where(first < nowhere, first, NOBODY)
