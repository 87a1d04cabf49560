"""Who was mailed what in the history, by habits that mislead whoever reads the log plainly.

Most newsletters leave at the sender's 07 to 09 h, on weekdays, and more of them to those who open
(so that whoever gets more mail opens more of it); triggered mails leave at 02 to 04 h of the
customer's own clock, to those who open (so that 03 h looks best). No hour was ever drawn for the
sake of learning, no propensity was kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from pipelines.simulator.arrays import DAY, HOUR, NEVER, Flags, Floats, Ints, micros
from pipelines.simulator.clock import SENDER, ZONES
from pipelines.simulator.dice import generator
from pipelines.simulator.mails import (
    NO_PRODUCT,
    SHOWN,
    Mails,
    joined,
    trigger_number,
    wording_of,
)  # fmt: skip
from pipelines.simulator.rows import MAILS
from pipelines.simulator.run import Run
from pipelines.simulator.shelf import PER_CATEGORY
from pipelines.simulator.stages import State
from pipelines.simulator.world import World

# Monday to Sunday, and by hour (REES46, 1.69 million messages).
BY_WEEKDAY = np.array([0.142, 0.154, 0.267, 0.088, 0.291, 0.040, 0.018])
BULK_HOURS = np.array([6, 7, 8, 9, 10, 11, 12, 14, 16, 18])
BULK_SHARES = np.array([0.06, 0.26, 0.23, 0.17, 0.06, 0.05, 0.05, 0.04, 0.04, 0.04])
NIGHT_HOURS, NIGHT_SHARES = np.array([2, 3, 4]), np.array([0.2, 0.6, 0.2])
MORNING_HOURS, MORNING_SHARES = np.array([10, 11, 12]), np.array([0.4, 0.3, 0.3])
ENGAGED = 0.3  # whose chance of opening is at least this is one of the engaged
OFTEN = 0.55
MIN_GAP = 20 * HOUR
SEND_COST = 0.001


@dataclass(frozen=True)
class PastEmail:
    """An e-mail of the catalogue as it was sent then."""

    email: str
    trigger: str
    variants: tuple[str, ...]
    discount: float
    hours: Ints
    shares: Floats
    at_local_hours: bool  # of the customer, else of the sender


PAST_EMAILS = (
    PastEmail("cart_reminder", "cart_reminder", ("plain",), 0.0, NIGHT_HOURS, NIGHT_SHARES, True),
    PastEmail("welcome", "welcome", ("plain", "story"), 0.1, NIGHT_HOURS, NIGHT_SHARES, True),
    PastEmail("win_back_1", "win_back", ("we_miss_you", "whats_new"), 0.1, NIGHT_HOURS,
              NIGHT_SHARES, True),
    PastEmail("replenishment", "replenishment", ("plain",), 0.0, MORNING_HOURS, MORNING_SHARES,
              True),
    PastEmail("review_request", "review_request", ("plain",), 0.0, MORNING_HOURS, MORNING_SHARES,
              True),
    PastEmail("coupon_by_category", "coupon_by_category", ("plain",), 0.05, BULK_HOURS,
              BULK_SHARES, False),
    PastEmail("recommendation", "recommendation", ("plain", "grid"), 0.0, BULK_HOURS, BULK_SHARES,
              False),
)  # fmt: skip


def send_history(world: World, run: Run) -> None:
    """Mail day by day from the run's present until the evaluation starts, whole days of UTC."""
    last_mail = np.full(world.truth.population.size, -NEVER)
    day = run.present
    sent = 0
    while day < world.start:
        run.pass_time(day)
        blocks = list(_of_day(world, run.state, micros(day), last_mail))
        if blocks:
            mails = joined([block for _, block, _ in blocks])
            names = pl.concat([_names(email, variant) for email, _, variant in blocks])
            numbered = names.with_row_index("number", offset=sent)
            ids = numbered.with_columns(message_id=pl.format("past-{}", "number"))
            run.send_numbered(mails, ids.select(list(MAILS)))
            sent += len(mails)
        day += timedelta(days=1)


def _of_day(
    world: World, state: State, start: int, last_mail: Ints
) -> Iterator[tuple[PastEmail, Mails, Ints]]:
    """E-mail by e-mail: mails and the places of their variants; `last_mail` is kept up to date."""
    random = generator("past mail", world.seed, start // DAY)
    size = world.truth.population.size
    for email in PAST_EMAILS:
        wanted = _is_wanted(email, world, state, start, random.random(size))
        who = np.flatnonzero(wanted)
        at = _times(email, world, who, start, random)
        rested = (np.abs(at - last_mail[who]) >= MIN_GAP) & (state.gone_at[who] > at)
        who, at = who[rested], at[rested]
        if not len(who):
            continue
        last_mail[who] = at
        variant = random.integers(0, len(email.variants), len(who))
        wordings = [wording_of(email.email, name, seed=world.seed) for name in email.variants]
        mails = Mails(
            customer=who,
            at=at,
            trigger=np.full(len(who), trigger_number(email.email, email.trigger)),
            products=_shown(email, world, who, at, random),
            discount=np.full(len(who), email.discount),
            cost=np.full(len(who), SEND_COST),
            wording=np.array(wordings)[variant],
        )
        yield email, mails, variant


def _is_wanted(email: PastEmail, world: World, state: State, start: int, dice: Floats) -> Flags:
    people, settings = world.truth.population, world.settings
    may = people.consents & (people.signed_up < start)
    since_order, since_cart = (start - state.last_order) / DAY, (start - state.last_cart) / DAY
    since_signup = (start - people.signed_up) / DAY
    engaged = people.openness >= ENGAGED
    night = np.where(engaged, 0.6, 0.03) * settings.night_mails
    # Some get more newsletters than others, for reasons of their own or because they open.
    often = np.exp(OFTEN * (people.frequency - OFTEN / 2)) * (0.9 + 0.6 * people.openness)
    weekday = int((start // DAY + 3) % 7)
    by_trigger = {
        "cart_reminder": ((state.last_cart > state.last_order) & (since_cart < 1)) * night,
        "welcome": (since_signup < 1) * night * 1.5,
        "win_back": ((since_order > 45) & (since_order < 365))
        * engaged
        * 0.02
        * settings.night_mails,
        "replenishment": (state.orders >= 3)
        * (since_order > people.gap_days)
        * (since_order < 3 * people.gap_days)
        * 0.02,
        "review_request": ((since_order > 6) & (since_order <= 8)) * 0.2,
        "coupon_by_category": (state.orders >= 1) * (weekday == 3) * 0.06,
        "recommendation": BY_WEEKDAY[weekday] * settings.bulk_per_week * often,
    }
    wanted: Flags = may & (dice < by_trigger[email.trigger])
    return wanted


def _times(
    email: PastEmail, world: World, who: Ints, start: int, random: np.random.Generator
) -> Ints:
    clock, zones = world.truth.clock, world.truth.population.zone
    hour = random.choice(email.hours, len(who), p=email.shares)
    sender = np.full(len(who), list(ZONES).index(SENDER))
    zone = zones[who] if email.at_local_hours else sender
    within = (random.random(len(who)) * HOUR).astype(np.int64)
    return clock.when_it_is(hour, zone, start) + within


def _shown(
    email: PastEmail, world: World, who: Ints, at: Ints, random: np.random.Generator
) -> Ints:
    """Four products by taste; of mails to many, some of them are what everybody buys."""
    people, shelf = world.truth.population, world.truth.shelf
    shown = np.full((len(who), SHOWN), NO_PRODUCT)
    guessed = {"recommendation": 2, "win_back": 2, "welcome": 1}.get(email.trigger, 4)
    everyones = random.integers(0, len(shelf.dear), SHOWN) * PER_CATEGORY
    for place in range(4):
        if place < guessed:
            dice = random.random((5, len(who)))
            shown[:, place] = people.chosen(who, at, dice, shelf)
        else:
            shown[:, place] = everyones[place]
    return shown


def _names(email: PastEmail, variant: Ints) -> pl.DataFrame:
    return pl.DataFrame({"variant": np.array(email.variants)[variant]}).with_columns(
        email=pl.lit(email.email), decision_id=pl.lit(None, pl.String)
    )
