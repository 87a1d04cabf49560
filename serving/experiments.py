"""What is left to chance, so that effects can be measured: who is held out, what is explored.

Chance is a stable hash of the customer and the UTC day: the night and the service draw the same,
and asking again does not draw anew. Whatever may be drawn gets a number of its own and the highest
wins, so that a draw stands as long as the thing drawn does, whatever else comes or goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat

import numpy as np
import polars as pl

from features.hashing import stable_hash, stable_share
from features.numbers import null_where
from serving.candidates import asks_only_for_time
from serving.conditions import Conditions
from serving.guardrail_settings import TRANSACTIONAL
from serving.hours import Floats, Numbers
from serving.instants import OPEN, Bools, Instants
from serving.settings import PolicySettings, ServingSettings
from serving.whose import NOBODY, only

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_EMAIL = ""  # among the e-mails that may be drawn


def with_variant(arms: pl.DataFrame, settings: ServingSettings) -> pl.DataFrame:
    """Add `variant`, dealt to each customer by a stable hash: the same one at every ask."""
    salt = f"variant {settings.policy.seed}"
    variants_of = {name: email.variants for name, email in settings.emails.items()}
    emails, customers = (arms.get_column(name).to_list() for name in ("email", "customer_id"))
    # Hashing takes longer than all the rest, so only what may be dealt is.
    dealt = [
        variants[stable_hash(f"{email}\0{customer}", salt) % len(variants)]
        if len(variants := variants_of[email]) > 1
        else variants[0]
        for email, customer in zip(emails, customers, strict=True)
    ]
    return arms.hstack([pl.Series("variant", dealt, pl.String)])


def in_holdout(customers: pl.Series, policy: PolicySettings) -> pl.Series:
    """Whether each customer belongs to those who get no e-mail: the same ones for good.

    No seed takes part: a holdout that could be dealt anew would be full of people mailed before.
    """
    held_out = [stable_share(name, "holdout") < policy.holdout_share for name in customers]
    return pl.Series("holdout", held_out, pl.Boolean)


def _happens(
    what: str, draws: Iterable[str], shares: Iterable[float], policy: PolicySettings
) -> Bools:
    """Whether chance does so in each draw, with the share of each."""
    salt = f"{what} {policy.seed}"
    happens = [stable_share(draw, salt) < share for draw, share in zip(draws, shares, strict=False)]
    return np.array(happens, dtype=np.bool_)


def explore_shares(as_of: Numbers, policy: PolicySettings, conditions: Conditions) -> Floats:
    """The share of choices of an e-mail that chance makes at each moment (in microseconds).

    Another in the first days of a shop, when nothing is known of what its e-mails bring; they count
    from its first live decision. Whoever leaves nothing to chance means those days too.
    """
    launched_at = conditions.launched_at
    if not policy.first_days or not policy.explore_emails:
        is_new = np.zeros(len(as_of), dtype=np.bool_)
    elif launched_at is None:
        is_new = np.ones(len(as_of), dtype=np.bool_)
    else:
        until = launched_at + timedelta(days=policy.first_days) - EPOCH
        is_new = as_of < until // timedelta(microseconds=1)
    at_first = is_new.astype(np.float64)
    shares: Floats = (
        at_first * policy.explore_emails_at_first + (1 - at_first) * policy.explore_emails
    )
    return shares


@dataclass(frozen=True, eq=False)
class Draws:
    """What chance says of each question: its `draw` (customer and day), and what it explores.

    `chance` is the share of chance in the choice of the e-mail. A pure question of time is about an
    e-mail that goes anyway: only its hour is explored.
    """

    draw: Sequence[str]
    holdout: Bools
    explores_emails: Bools
    explores_hours: Bools
    explore_share: Floats
    chance: Floats


def draws_of(questions: pl.DataFrame, policy: PolicySettings, conditions: Conditions) -> Draws:
    """The draws of each question."""
    as_of = questions.get_column("as_of").cast(pl.Int64).to_numpy()
    customers = questions.get_column("customer_id")
    days = questions.get_column("as_of").dt.date().cast(pl.String)
    draw = [f"{who}\0{day}" for who, day in zip(customers, days, strict=True)]
    emails = questions.get_column("emails")
    is_choice = np.ones(len(draw), dtype=np.bool_)
    if emails.null_count() < len(emails):
        is_choice = questions.select(~asks_only_for_time()).to_series().to_numpy()
    held_out = in_holdout(customers, policy).to_numpy()
    shares = explore_shares(as_of, policy, conditions)
    is_free = is_choice & ~held_out
    return Draws(
        draw=draw,
        holdout=is_choice & held_out,
        explores_emails=is_free & _happens("explore emails", draw, shares.tolist(), policy),
        explores_hours=_happens("explore hours", draw, repeat(policy.explore_hours), policy),
        explore_share=shares,
        chance=np.where(is_free, shares, 0.0),
    )


@dataclass(frozen=True, eq=False)
class Choice:
    """What is chosen for each question, and how likely that was; arms are rows of the frame `arms`.

    `best` is what the policy would choose and `arm` what is chosen (NOBODY = no e-mail);
    `propensity_of_arms` holds that of each arm. Those of a question sum to 1 with that of waiting.
    """

    best: Numbers
    arm: Numbers
    holdout: Bools
    explored_email: Bools
    explores_hours: Bools
    owed: Bools
    email_propensity: Floats
    wait_propensity: Floats
    propensity_of_arms: Floats


def choice_of(
    arms: pl.DataFrame, question: Numbers, draws: Draws, policy: PolicySettings
) -> Choice:
    """What is chosen for each question, of which `question` says which one an arm is of.

    What may go is drawn alike with no e-mail at all. Where a transactional e-mail may go, nothing
    else may, and nothing is left to chance.
    """
    count = len(draws.draw)
    # Whatever has an allowed instant may be drawn, also what is worth less than no e-mail.
    may_go = (arms.get_column("forbidden_by").list.len() == 0).to_numpy()
    eligible = may_go & arms.get_column("instant").is_not_null().to_numpy()
    is_owed = eligible & (arms.get_column("mail_class") == TRANSACTIONAL).to_numpy()
    owed = np.bincount(question[is_owed], minlength=count) > 0
    eligible &= is_owed | ~owed[question]
    # A pure question of time has been decided already as to whether it is worth it, and what is
    # owed goes whatever it is worth.
    worth = arms.get_column("worth").to_numpy()
    only_time, stands_back = (
        arms.get_column(name).to_numpy() for name in ("only_time", "stands_back")
    )
    worth_it = eligible & ((worth > 0) | only_time | is_owed) & ~stands_back
    best = first_of_each(arms, question, worth, worth_it, count)

    explores = draws.explores_emails & ~owed
    holdout = draws.holdout & ~owed
    chance = np.where(owed, 0.0, draws.chance)
    options = np.bincount(question[eligible], minlength=count)
    usual = np.where(holdout, NOBODY, best)
    explored = explores & (options > 0)
    # No e-mail is one more.
    of_each = chance / (options + 1)
    of_usual = of_each + (1 - chance)
    arm = usual.copy()
    if explored.any():
        drawn = _drawn(arms, question, eligible & explored[question], explored, draws, policy)
        arm[explored] = drawn[explored]
    is_usual = usual[question] == np.arange(len(question))
    return Choice(
        best=best,
        arm=arm,
        holdout=holdout,
        explored_email=explored,
        explores_hours=draws.explores_hours & ~owed,
        owed=owed,
        email_propensity=np.where(arm == usual, of_usual, of_each),
        wait_propensity=np.where(usual == NOBODY, of_usual, of_each),
        propensity_of_arms=np.where(
            eligible, np.where(is_usual, of_usual[question], of_each[question]), 0.0
        ),
    )


def _drawn(
    arms: pl.DataFrame,
    question: Numbers,
    offered: Bools,
    explored: Bools,
    draws: Draws,
    policy: PolicySettings,
) -> Numbers:
    """Of the questions that explore e-mails the arm that is drawn, NOBODY = none."""
    salt = f"e-mail {policy.seed}"
    drawn = np.full(len(explored), NOBODY)
    luck = {q: _luck(draws.draw[q], NO_EMAIL, salt) for q in np.flatnonzero(explored).tolist()}
    places = np.flatnonzero(offered)
    emails = arms.get_column("email")[places].to_list()
    for q, place, email in zip(question[places].tolist(), places.tolist(), emails, strict=True):
        theirs = _luck(draws.draw[q], email, salt)
        if theirs > luck[q]:
            luck[q], drawn[q] = theirs, place
    return drawn


@dataclass(frozen=True, eq=False)
class Hour:
    """The `instant` of what is chosen (NOBODY = none), and how it came about."""

    instant: Numbers
    explored: Bools
    propensity: pl.Series


def hour_of(
    choice: Choice, arms: pl.DataFrame, instants: Instants, draws: Draws, policy: PolicySettings
) -> Hour:
    """When what is chosen leaves; with the chance explore_hours at any of its open instants."""
    is_sent = choice.arm != NOBODY
    best, open_hours = np.full(len(is_sent), NOBODY), np.ones(len(is_sent), dtype=np.int64)
    chosen = only(arms, ("instant", "hours"))[choice.arm[is_sent]]
    best[is_sent] = chosen.get_column("instant").to_numpy()
    open_hours[is_sent] = chosen.get_column("hours").to_numpy()
    explored = choice.explores_hours & is_sent & (open_hours > 1)
    instant = best.copy()
    if explored.any():
        salt = f"hour {policy.seed}"
        whose, shut, begins = (
            instants.frame.get_column(name).cast(pl.Int64).to_numpy()
            for name in ("whose", "shut", "begins")
        )
        may_be = instants.frame.get_column("worth").is_not_null().to_numpy()
        for q in np.flatnonzero(explored).tolist():
            first, last = np.searchsorted(whose, [choice.arm[q], choice.arm[q] + 1])
            offered = first + np.flatnonzero((shut[first:last] == OPEN) & may_be[first:last])
            luck = [_luck(draws.draw[q], str(hour), salt) for hour in begins[offered].tolist()]
            instant[q] = offered[luck.index(max(luck))]
    share = np.where(choice.owed, 0.0, policy.explore_hours)
    propensity = share / open_hours + np.where(instant == best, 1 - share, 0.0)
    return Hour(instant, explored, null_where(propensity, ~is_sent))


def _luck(draw: str, what: str, salt: str) -> int:
    """What hashes highest with a draw is drawn: any `what` with equal chance."""
    return stable_hash(f"{draw}\0{what}", salt)


def first_of_each(
    arms: pl.DataFrame, question: Numbers, worth: Floats, among: Bools, count: int
) -> Numbers:
    """The arm of the highest worth for each question; of equals the one listed first.

    Null comes last; NOBODY where none is `among` them.
    """
    first = np.full(count, NOBODY)
    places = np.flatnonzero(among)
    listed_at = arms.get_column("place").to_numpy()[places]
    # What comes first is written last.
    order = places[np.lexsort((listed_at, -worth[places]))[::-1]]
    first[question[order]] = order
    return first
