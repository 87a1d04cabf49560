"""One run through a world: mails go in, events come out, and a ledger tells the truth."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from features.contracts import Events
from pipelines.simulator.arrays import DAY, NEVER, Flags, Floats, Ints, micros, moment
from pipelines.simulator.dirt import soil
from pipelines.simulator.events import as_events
from pipelines.simulator.ledger import Book, own_orders, summed
from pipelines.simulator.mails import Mails, mails_of
from pipelines.simulator.outcome import Outcome, drawn
from pipelines.simulator.response import COUPON_DAYS, SOONER_DAYS, Chances, chances
from pipelines.simulator.rows import MAILS, as_it_came, is_kept, together
from pipelines.simulator.stages import State, nobody_mailed, pressure_at
from pipelines.simulator.world import World

_NO_EVENTS: pl.DataFrame = Events.create_empty()
_TOLD = ("open", "click", "order", "unsubscribe", "complaint", "margin", "value")


class Run:
    """A world as one policy makes it; everything it hands out belongs to that policy.

    What a mail does depends on what happened before the run's present, which `events` (or
    `pass_time`) moves on. Mails are for the present or later.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._present = micros(world.begins)
        self._handed_out = -NEVER
        self._own = 0  # rows of the own life that have been handed out
        self._state = _before_the_history(world)
        orders = len(world.life.orders.at)
        self._cancelled: Flags = np.zeros(orders, dtype=bool)
        self._coupon: Floats = np.zeros(orders)
        self._coupon_mail: Ints = np.full(orders, -1)
        self._mails: list[pl.DataFrame] = []
        self._sent = 0
        self._fresh: list[pl.DataFrame] = []  # rows caused by mails and not seen as events yet
        self._waiting = _NO_EVENTS  # events that nobody knows of yet
        self._coming: list[tuple[Ints, Ints, Flags]] = []  # caused orders and carts, to the state
        self._book = Book()

    @property
    def present(self) -> datetime:
        return moment(self._present)

    @property
    def state(self) -> State:
        return self._state

    def fork(self) -> Run:
        """An independent run that has lived through the same; frames are shared, never changed."""
        other = Run.__new__(Run)
        other.__dict__ = self.__dict__ | {
            "_state": self._state.copy(),
            "_cancelled": self._cancelled.copy(),
            "_coupon": self._coupon.copy(),
            "_coupon_mail": self._coupon_mail.copy(),
            "_mails": list(self._mails),
            "_fresh": list(self._fresh),
            "_coming": list(self._coming),
            "_book": self._book.copy(),
        }
        return other

    def events(self, until: datetime) -> pl.DataFrame:
        """EVENTS that become known before `until` and were not handed out before, by known_at."""
        self.pass_time(until)
        limit = micros(until)
        self._handed_out = max(self._handed_out, limit)
        # All events of a mail go through the dirt together, also those that lie ahead.
        happened = together([self._own_rows(limit), *self._fresh])
        self._fresh = []
        clean = as_events(
            happened,
            names=self.world.truth.population.names,
            products=self.world.products.get_column("product_id"),
            uses_app=pl.Series(self.world.truth.population.uses_app),
            mails=pl.concat([pl.DataFrame(schema=MAILS), *self._mails]),
        )
        seen = soil(clean, self.world.people, settings=self.world.settings, seed=self.world.seed)
        known = pl.concat([self._waiting, seen.select(_NO_EVENTS.columns)])
        is_known = pl.col("known_at") < until
        self._waiting = known.filter(~is_known)
        return known.filter(is_known).sort("known_at", maintain_order=True)

    def chances(self, mails: pl.DataFrame) -> pl.DataFrame:
        """The truth about each mail by itself, without sending it.

        One row per mail, in their order: open, click, order (expected incremental orders),
        unsubscribe, complaint, margin (expected incremental margin, net of discounts and the
        cost of sending), value (pipelines.simulator.response). Nulls where nothing would be
        delivered, because the customer is gone by then. `mails`: customer_id, email, trigger,
        variant, at, products (list of product ids), discount (share), send_cost.
        """
        given = self._given(mails)
        truth = chances(self.world.truth, self._state, given, now=self._present)
        return self._told(truth, self._is_there(given))

    def send(self, mails: pl.DataFrame) -> pl.DataFrame:
        """The same columns; and what happens is drawn, to come out of `events` and `ledger`.

        `mails` has message_id and decision_id (null in the history) besides.
        """
        given = self._given(mails)
        names = mails.select(pl.col(name).cast(dtype) for name, dtype in MAILS.items())
        was_there = self._is_there(given)
        return self._told(self.send_numbered(given, names), was_there)

    def send_numbered(self, mails: Mails, names: pl.DataFrame) -> Chances:
        """`send` of mails in numbers; `names` has rows.MAILS of each, in the same order."""
        turn = _turns(mails)
        truth = chances(self.world.truth, self._state, mails, now=self._present)
        for number in range(int(turn.max()) + 1 if len(turn) else 0):
            # Several mails to one customer: one after another, for each presses on the next.
            which = np.flatnonzero(turn == number)
            part = mails.only(which)
            if number:
                again = chances(self.world.truth, self._state, part, now=self._present)
                truth = truth.with_rows(which, again)
            is_there = np.flatnonzero(self._state.gone_at[part.customer] > part.at)
            place = which[is_there]
            self._bring_about(mails.only(place), truth.only(place), names[place])
        return truth

    def ledger(self, since: datetime, until: datetime) -> pl.DataFrame:
        """The truth per customer of the world, whatever has been handed out.

        customer_id, margin (of all orders, less discounts, refunds and the cost of sending),
        orders, unsubscribes, complaints, mails; what happens from `since` on and before `until`.
        """
        margin = self.world.settings.margin
        own = own_orders(self.world.life.orders, self._cancelled, self._coupon, margin=margin)
        first, last = micros(since), micros(until)
        within = own.filter(pl.col("at") >= first, pl.col("at") < last)
        entries = pl.concat([within, self._book.between(first, last)])
        return summed(entries, self.world.truth.population.names)

    def pass_time(self, until: datetime) -> None:
        """Move the present on, so that mails find the carts and orders of before `until`."""
        limit = micros(until)
        if limit <= self._present:
            return
        life = self.world.life.events
        first, last = (int(life["at"].search_sorted(at)) for at in (self._present, limit))
        lived = life.slice(first, last - first)
        kept = is_kept(lived, self._cancelled)
        for kind, is_order in (("order", True), ("cart_add", False)):
            mine = lived.filter((pl.col("kind") == kind) & kept)
            if is_order:
                mine = mine.unique("order", maintain_order=True)
            self._take_in(mine["customer"].to_numpy(), mine["at"].to_numpy(), is_order=is_order)
        still_coming = []
        for who, at, is_order_of in self._coming:
            now = at < limit
            for is_order in (True, False):
                which = now & (is_order_of == is_order)
                self._take_in(who[which], at[which], is_order=is_order)
            if not now.all():
                still_coming.append((who[~now], at[~now], is_order_of[~now]))
        self._coming = still_coming
        self._present = limit

    def _take_in(self, who: Ints, at: Ints, *, is_order: bool) -> None:
        state = self._state
        np.maximum.at(state.last_order if is_order else state.last_cart, who, at)
        if is_order:
            np.add.at(state.orders, who, 1)

    def _bring_about(self, mails: Mails, truth: Chances, names: pl.DataFrame) -> None:
        if not len(mails):
            return
        outcome = drawn(self.world.truth, mails, truth, first=self._sent, seed=self.world.seed)
        self._sent += len(mails)
        self._mails.append(names)
        self._fresh.append(outcome.events)
        self._book.enter(mails, outcome, margin=self.world.settings.margin)
        who, state = mails.customer, self._state
        state.gone_at[who] = np.minimum(state.gone_at[who], outcome.gone_at)
        self._press(mails, outcome)
        self._coming.append(_coming(who, outcome))
        self._redeem(mails, outcome)
        self._bring_forward(who, outcome)

    def _press(self, mails: Mails, outcome: Outcome) -> None:
        who, at = mails.customer[outcome.is_delivered], mails.at[outcome.is_delivered]
        state = self._state
        recovery_days = self.world.settings.recovery_days
        state.pressure[who] = pressure_at(state, who, at, recovery_days=recovery_days) + 1
        state.pressed_at[who] = np.maximum(at, state.pressed_at[who])

    def _redeem(self, mails: Mails, outcome: Outcome) -> None:
        """The next own order within the coupon's days uses it, unless it has one already."""
        which = np.flatnonzero(outcome.redeems)
        found = self._next_own(mails.customer[which], mails.at[which], COUPON_DAYS)
        is_free = (found >= 0) & (self._coupon[found] == 0)
        self._coupon[found[is_free]] = mails.discount[which[is_free]]
        self._coupon_mail[found[is_free]] = self._sent - len(mails) + which[is_free]

    def _bring_forward(self, who: Ints, outcome: Outcome) -> None:
        """An order that only came sooner: the next own one within 14 days does not take place."""
        which = outcome.stands_in
        found = self._next_own(who[which], outcome.ordered_at[which], SOONER_DAYS)
        self._cancelled[found[found >= 0]] = True

    def _next_own(self, who: Ints, at: Ints, days: int) -> Ints:
        """The number of the next own order in time; -1 also if it was handed out already."""
        orders = self.world.life.orders
        found = orders.next_after(who, at)
        time = orders.at[found]
        in_time = (found >= 0) & (time < at + days * DAY) & (time >= self._handed_out)
        return np.where(in_time, found, -1)

    def _own_rows(self, limit: int) -> pl.DataFrame:
        """Rows of the own life up to there, as the mails so far have changed it."""
        first, last = self._own, int(self.world.life.events["at"].search_sorted(limit))
        self._own = max(first, last)
        lived = self.world.life.events.slice(first, self._own - first)
        return as_it_came(lived, self._cancelled, self._coupon, self._coupon_mail)

    def _given(self, mails: pl.DataFrame) -> Mails:
        world = self.world
        return mails_of(
            mails, customers=world.customer_names, products=world.product_names, seed=world.seed
        )

    def _is_there(self, mails: Mails) -> Flags:
        is_there: Flags = self._state.gone_at[mails.customer] > mails.at
        return is_there

    def _told(self, truth: Chances, is_there: Flags) -> pl.DataFrame:
        return pl.DataFrame({name: getattr(truth, name) for name in _TOLD}).select(
            pl.when(pl.Series(is_there)).then(name) for name in _TOLD
        )


def begin(world: World) -> Run:
    """A run at the start of the world's history, in which nothing has been mailed."""
    return Run(world)


def _before_the_history(world: World) -> State:
    """What customers had ordered when the history begins."""
    orders = world.life.orders
    state = nobody_mailed(world.truth.population.size)
    earlier = orders.at < micros(world.begins)
    np.maximum.at(state.last_order, orders.customer[earlier], orders.at[earlier])
    np.add.at(state.orders, orders.customer[earlier], 1)
    return state


def _turns(mails: Mails) -> Ints:
    """0 for each customer's first mail of a block, 1 for the second, by time."""
    turn = np.zeros(len(mails), dtype=np.int64)
    place = np.lexsort((mails.at, mails.customer))
    who = mails.customer[place]
    starts = np.flatnonzero(np.concatenate([[True], who[1:] != who[:-1]])[: len(who)])
    length = np.diff(np.append(starts, len(who)))
    turn[place] = np.arange(len(who)) - np.repeat(starts, length)
    return turn


def _coming(who: Ints, outcome: Outcome) -> tuple[Ints, Ints, Flags]:
    """Orders and carts that the mails will have brought about: who, when, whether an order."""
    ordered, carted = outcome.ordered_at < NEVER, outcome.carted_at < NEVER
    return (
        np.concatenate([who[ordered], who[carted]]),
        np.concatenate([outcome.ordered_at[ordered], outcome.carted_at[carted]]),
        np.concatenate([np.ones(ordered.sum(), dtype=bool), np.zeros(carted.sum(), dtype=bool)]),
    )
