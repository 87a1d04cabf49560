"""What a mail does: the one function from which outcomes are drawn and the truth is told.

    click   = base of its kind x engagement x hour x fit x stage x wording x exp(-fatigue x recent)
    order   = click x base of its kind x stage x pull of the discount
    margin  = order x (own margin of it - chance that it only came sooner x margin of that order)
              - chance of an own order within 7 days x of using the coupon on it x discount
              - cost of sending
    value   = margin - chance of losing the customer x price - price of pressure

An order after a mail is *incremental* as far as it does not stand in for the next own order
within 14 days, which then does not take place. The price of a customer who can be mailed is what
`typical` newsletters of `mailable_weeks` weeks, one a week, would earn with this customer at the
average hour with products by taste. The price of pressure is what one more mail takes from these
newsletters as it decays: fatigue from their margin, annoyance from the customer's price.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.simulator.arrays import DAY, Flags, Floats, Ints, Small
from pipelines.simulator.clock import Clock
from pipelines.simulator.effects import EFFECTS, PLAIN, base
from pipelines.simulator.life import GAP_SHAPE, MOST_LINES, TWO_OF_IT
from pipelines.simulator.mails import Mails
from pipelines.simulator.orders import Orders
from pipelines.simulator.population import Population
from pipelines.simulator.season import Season
from pipelines.simulator.shelf import Shelf, category_of
from pipelines.simulator.stages import State, pressure_at, stage_factors
from pipelines.simulator.worlds import WorldSettings

MOST, MOST_OPENED = 0.9, 0.97  # no chance is higher
SOONER_DAYS, COUPON_DAYS = 14, 7
HARD_BOUNCES = 0.15  # of mails to an address that stops working
# Fit: what is shown by the taste of the customer, 1 = the favourite category.
UNFITTING, FITTING, OWN_FAVOURITE, NOTHING_SHOWN, TYPICAL_FIT = 0.4, 0.9, 1.25, 0.4, 0.9
HOUR_IN_OPENS, FATIGUE_IN_OPENS = 0.3, 0.25
COMPLAINS_WITHOUT_CONSENT = 10.0


@dataclass(frozen=True)
class Truth:
    """What is behind the world's curtain and does not change with what is mailed."""

    settings: WorldSettings
    population: Population
    shelf: Shelf
    clock: Clock
    season: Season
    orders: Orders
    hours: Small  # what an hour multiplies clicks by; shape of Population.rhythm


@dataclass(frozen=True)
class Chances:
    """One entry per mail; money in units of the currency, see the module."""

    delivered: Floats
    open: Floats
    click: Floats
    buys: Floats  # an order, given a click
    sooner: Floats  # given that order: it stands in for the next own one, if that comes in time
    redeems: Floats  # given an own order in time: the coupon is used on it
    unsubscribe: Floats
    complaint: Floats
    order: Floats  # expected incremental orders
    margin: Floats
    value: Floats

    def only(self, which: Ints) -> Chances:
        return Chances(**{name: values[which] for name, values in vars(self).items()})

    def with_rows(self, which: Ints, others: Chances) -> Chances:
        """These, with the others at those places."""
        columns = {name: values.copy() for name, values in vars(self).items()}
        for name, values in columns.items():
            values[which] = getattr(others, name)
        return Chances(**columns)


def chances(truth: Truth, state: State, mails: Mails, *, now: int) -> Chances:
    """The truth about each mail by itself, given what happened before `now` (`state`)."""
    settings, people = truth.settings, truth.population
    who, at, kind = mails.customer, mails.at, mails.trigger
    works = float(settings.mail_works)
    delivered = np.where(people.bounce_prone[who], 1 - HARD_BOUNCES, 1.0)
    fit = fit_of(people, mails)
    click_stage, order_stage = stage_factors(people, state, mails)
    pressed = pressure_at(state, who, at, recovery_days=settings.recovery_days)
    tired = np.exp(-settings.fatigue * pressed)
    zone = people.zone[who]
    hour = truth.hours[
        people.era(at), who, truth.clock.is_weekend(zone, at), truth.clock.hour(zone, at)
    ]
    pull = people.engagement[who] * hour * fit * click_stage * mails.wording * tired
    click = np.minimum(base("click")[kind] * settings.click_factor * pull, MOST)
    moved = hour**HOUR_IN_OPENS * tired**FATIGUE_IN_OPENS
    looks = np.minimum(people.openness[who] * base("open")[kind] * moved, MOST_OPENED)
    thrift = people.thrift[who]
    lure = 1 + 3 * mails.discount * (0.3 + 1.4 * thrift)
    buys = works * np.minimum(base("order")[kind] * order_stage * lure, MOST)
    sooner = base("anyway")[kind]
    noticed = 0.2 + 0.8 * people.openness[who]
    redeems = works * (mails.discount > 0) * noticed * (0.2 + 0.7 * thrift)
    irrelevance = np.clip(1.7 - fit, 0.3, 1.3) * np.clip(1.3 - 0.5 * people.engagement[who], 0.4, 2)
    annoyed = 1 + settings.annoyance * pressed
    bother = works * irrelevance * annoyed * base("unsubscribe")[kind]
    unsubscribe = np.minimum(settings.unsubscribe_rate * bother, MOST)
    unasked = np.where(people.consents[who], 1.0, COMPLAINS_WITHOUT_CONSENT)
    complaint = np.minimum(settings.complaint_rate * bother * unasked, MOST)

    kept = 1 - settings.refunded
    basket = kept * basket_of(people, who, at)
    after_mail = kept * basket_after_mail(people, truth.shelf, mails)
    ordered = click * buys
    in_time, in_coupon_time = own_order_within(truth, who, at, SOONER_DAYS, COUPON_DAYS, now=now)
    given = (1 - ordered * sooner) * in_coupon_time * redeems * mails.discount * basket
    gained = ordered * (
        (settings.margin - mails.discount) * after_mail
        - sooner * in_time * settings.margin * basket
    )
    margin = delivered * (gained - given) - mails.cost
    typical = typical_margin(truth, who, at)
    price = settings.mailable_weeks * typical
    lost = delivered * (1 - (1 - unsubscribe) * (1 - complaint))
    # The sum of exp(-7 k / recovery) over the newsletters of all weeks k to come.
    lasts = 1 / np.expm1(7 / settings.recovery_days)
    annoys = settings.annoyance * settings.unsubscribe_rate * price * works
    pressing = delivered * lasts * (settings.fatigue * typical + annoys)
    return Chances(
        delivered=delivered,
        open=delivered * (1 - (1 - looks) * (1 - click)),
        click=delivered * click,
        buys=buys,
        sooner=sooner,
        redeems=redeems,
        unsubscribe=delivered * unsubscribe,
        complaint=delivered * complaint,
        order=delivered * ordered * (1 - sooner * in_time),
        margin=margin,
        value=margin - lost * price - pressing,
    )


def fit_of(people: Population, mails: Mails) -> Floats:
    """How well the shown products fit: about .4 (not at all) to 1.4 (own favourites)."""
    who, shown = mails.customer, mails.products
    is_shown = shown >= 0
    product = np.maximum(shown, 0)
    tastes = people.tastes[people.era(mails.at), who]
    liked = np.take_along_axis(tastes, category_of(product), axis=1) / tastes.max(axis=1)[:, None]
    is_favourite = (product[:, :, None] == people.favourites[who][:, None, :]).any(axis=2)
    liking = np.where(is_favourite, OWN_FAVOURITE, liked) * is_shown
    count = is_shown.sum(axis=1)
    mean = np.where(count > 0, liking.sum(axis=1) / np.maximum(count, 1), NOTHING_SHOWN)
    return UNFITTING + FITTING * mean


def own_order_within(truth: Truth, who: Ints, at: Ints, *days: int, now: int) -> list[Floats]:
    """Chance of an own order within so many days of `at`, given the time since the last one.

    Gaps are gamma of shape 2 in average days, so S(x) = (1 + r x) exp(-r x) with r = 2 / mean.
    Orders from `now` on are not looked at. Nobody knows when a customer who is still there
    leaves: half of the time's hazard is taken.
    """
    people, season = truth.population, truth.season
    rate = GAP_SHAPE / people.gap_days[who]
    last = truth.orders.last_before(who, np.minimum(at, now), otherwise=people.signed_up[who])
    today = season.counted(at)
    since = np.maximum(today - season.counted(last), 0)
    is_there: Flags = at < people.leaves[who]
    found = []
    for within in days:
        more = season.counted(at + within * DAY) - today
        survives = (1 + rate * (since + more)) / (1 + rate * since) * np.exp(-rate * more)
        stays = np.exp(-within / 2 / truth.settings.mean_lifetime_days)
        found.append(np.where(is_there, (1 - survives) * stays, 0.0))
    return found


def basket_of(people: Population, who: Ints, at: Ints) -> Floats:
    """Expected list price of an own order."""
    return _lines(people, who) * (1 + TWO_OF_IT) * people.line_price[people.era(at), who]


def basket_after_mail(people: Population, shelf: Shelf, mails: Mails) -> Floats:
    """Expected list price of an order after a click: one line is of what was shown."""
    who = mails.customer
    own = people.line_price[people.era(mails.at), who]
    is_shown = mails.products >= 0
    prices = np.where(is_shown, shelf.cents[mails.products] / 100, 0).sum(axis=1)
    count = is_shown.sum(axis=1)
    shown = np.where(count > 0, prices / np.maximum(count, 1), own)
    price: Floats = (1 + TWO_OF_IT) * (shown + (_lines(people, who) - 1) * own)
    return price


def typical_margin(truth: Truth, who: Ints, at: Ints) -> Floats:
    """What a plain newsletter earns with each customer at the average hour, pressure of one."""
    settings, people = truth.settings, truth.population
    plain = EFFECTS[PLAIN]
    click = np.minimum(
        plain.click
        * settings.click_factor
        * people.engagement[who]
        * TYPICAL_FIT
        * np.exp(-settings.fatigue / np.expm1(7 / settings.recovery_days)),
        MOST,
    )
    within = 1 - np.exp(-SOONER_DAYS / people.gap_days[who])
    orders = settings.mail_works * click * plain.order * (1 - plain.anyway * within)
    worth = (1 - settings.refunded) * settings.margin * basket_of(people, who, at)
    left = np.where(at < people.leaves[who], 1.0, 0.1)
    earned: Floats = left * orders * worth
    return earned


def _lines(people: Population, who: Ints) -> Floats:
    """Mean of a geometric number of lines that is cut off at MOST_LINES."""
    more = people.more_lines[who]
    return (1 - more**MOST_LINES) / (1 - more)
