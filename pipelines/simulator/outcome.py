"""What happens after a mail: drawn from its chances with the luck of the customer and the day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipelines.simulator.arrays import DAY, HOUR, NEVER, SECOND, Flags, Floats, Ints
from pipelines.simulator.dice import thrown
from pipelines.simulator.life import MOST_LINES, PAYING, TWO_OF_IT
from pipelines.simulator.mails import SHOWN, Mails
from pipelines.simulator.response import Chances, Truth
from pipelines.simulator.rows import REASONS, rows, together

# Of clicks, the share within so many hours of the send (REES46, 17,826 first clicks; the first and
# the last pair close the curve).
CLICKED_WITHIN = (
    (0.0, 0.01), (0.2476, 0.25), (0.4082, 1.0), (0.6537, 6.0), (0.8379, 24.0), (0.9428, 72.0),
    (0.982, 168.0), (1.0, 336.0),
)  # fmt: skip
LEAVES_A_CART = 0.15  # of clicks without an order
LOOKS_AT = 2  # of the shown products, at most
# Rows of one mail are told apart by their place; lines of its order come last.
PLACES = {
    name: place
    for place, name in enumerate(
        ("send", "deliver", "bounce", "open", "click", "unsubscribe", "complaint", "session",
         "checkout", "refund", "cart", "view")
    )
}  # fmt: skip
FILLING, BUYING = 20, 40


@dataclass(frozen=True)
class Outcome:
    """What a block of mails brings about; arrays are by mail, NEVER where it does not happen."""

    events: pl.DataFrame  # rows.ROWS
    is_delivered: Flags
    gone_at: Ints  # unsubscribed, complained or bounced
    unsubscribed_at: Ints
    complained_at: Ints
    carted_at: Ints
    ordered_at: Ints
    cents: Ints  # list price of that order
    off: Ints  # taken off it
    refunded_at: Ints
    stands_in: Flags  # the next own order does not take place, if it comes in time
    redeems: Flags  # the next own order uses the coupon, if it comes in time


def delay(uniform: Floats) -> Ints:
    """Microseconds from send to click: the facts' curve, log-linear between its points."""
    shares, hours = np.array(CLICKED_WITHIN).T
    after: Ints = (np.exp(np.interp(uniform, shares, np.log(hours))) * HOUR).astype(np.int64)
    return after


def drawn(truth: Truth, mails: Mails, chances: Chances, *, first: int, seed: int) -> Outcome:
    """The outcome of each mail; `first` is the number that the first of them has in the run."""
    who, at = mails.customer, mails.at
    works = truth.settings.mail_works

    def luck(purpose: str) -> Floats:
        return thrown(purpose, who, at, seed=seed)

    # Chances are of the sent, what follows is drawn among the delivered.
    arrives = luck("delivered") < chances.delivered
    reached = np.maximum(chances.delivered, 1e-9)
    clicks = arrives & (luck("click") < chances.click / reached)
    opened = 1 - (1 - chances.open / reached) / np.maximum(1 - chances.click / reached, 1e-9)
    opens = arrives & (clicks | (luck("open") < opened))
    delivered_at = at + ((2 + 58 * luck("delivery")) * SECOND).astype(np.int64)
    clicked_at = np.where(clicks, delivered_at + delay(luck("click after")), NEVER)
    opened_at = np.where(
        clicks,
        np.maximum(clicked_at - ((5 + 55 * luck("reads")) * SECOND).astype(np.int64), delivered_at),
        np.where(opens, delivered_at + delay(luck("open after")), NEVER),
    )
    unsubscribes = arrives & (luck("unsubscribe") < chances.unsubscribe / reached)
    complains = arrives & (luck("complaint") < chances.complaint / reached)
    unsubscribed_at = np.where(unsubscribes, delivered_at + delay(luck("unsubscribe after")), NEVER)
    complained_at = np.where(complains, delivered_at + delay(luck("complaint after")), NEVER)
    buys = clicks & (luck("buys") < chances.buys)
    leaves_cart = clicks & ~buys & (luck("cart") < LEAVES_A_CART) & works
    ordered_at = np.where(
        buys, clicked_at + ((4 + 16 * luck("decides")) * 60 * SECOND).astype(np.int64), NEVER
    )
    carted_at = np.where(
        leaves_cart, clicked_at + ((1 + 5 * luck("fills")) * 60 * SECOND).astype(np.int64), NEVER
    )
    refunds = buys & (luck("refund") < truth.settings.refunded)
    refunded_at = np.where(
        refunds, ordered_at + ((4 + 10 * luck("refund after")) * DAY).astype(np.int64), NEVER
    )
    number = first + np.arange(len(mails))
    basket = _basket(truth, mails, np.flatnonzero(buys), seed=seed)
    cents = np.bincount(basket.mail, basket.cents, minlength=len(mails)).astype(np.int64)
    off = np.bincount(basket.mail, basket.off, minlength=len(mails)).astype(np.int64)
    viewed = _views(mails, clicked_at, np.flatnonzero(clicks), luck("looks"))

    def of(kind: str, which: Flags, times: Ints, *, by_mail: bool, **more: object) -> pl.DataFrame:
        count = int(which.sum())
        return rows(
            kind, who[which], times[which], mail=number[which],
            caused=np.ones(count, dtype=bool), by_mail=np.full(count, by_mail),
            place=np.full(count, PLACES.get(kind, PLACES["cart"])), **more,
        )  # fmt: skip

    hard = np.full(int((~arrives).sum()), REASONS.index("hard"))
    shown = _first_shown(mails, luck("link"))
    has_product = clicks & (shown >= 0)
    seconds = (60 + 500 * luck("stays"))[clicks]
    cart_product = np.where(shown >= 0, shown, truth.population.favourites[who, 0])[leaves_cart]
    lines = basket.columns(number, off=True)
    everything = np.ones(len(mails), dtype=bool)
    events = [
        of("send", everything, at, by_mail=True),
        of("deliver", arrives, delivered_at, by_mail=True),
        of("bounce", ~arrives, delivered_at, by_mail=True, reason=hard),
        of("open", opens, opened_at, by_mail=True),
        of("click", has_product, clicked_at, by_mail=True, product=shown[has_product]),
        of("click", clicks & ~has_product, clicked_at, by_mail=True),
        of("unsubscribe", unsubscribes, unsubscribed_at, by_mail=True),
        of("complaint", complains, complained_at, by_mail=True),
        of("session", clicks, clicked_at + SECOND, by_mail=False, seconds=seconds),
        viewed.as_rows(number),
        of("cart_add", leaves_cart, carted_at, by_mail=False, product=cart_product,
           quantity=np.ones(len(cart_product)), cents=truth.shelf.cents[cart_product]),
        rows("cart_add", who[basket.mail], ordered_at[basket.mail] - PAYING,
             **basket.columns(number, off=False)),
        of("checkout", buys, ordered_at - PAYING // 2, by_mail=False),
        rows("order", who[basket.mail], ordered_at[basket.mail], **lines),
        of("refund", refunds, refunded_at, by_mail=False, cents=(cents - off)[refunds]),
    ]  # fmt: skip
    bounced_at = np.where(arrives, NEVER, delivered_at)
    return Outcome(
        events=together(events),
        is_delivered=arrives,
        gone_at=np.minimum(np.minimum(unsubscribed_at, complained_at), bounced_at),
        unsubscribed_at=unsubscribed_at,
        complained_at=complained_at,
        carted_at=carted_at,
        ordered_at=ordered_at,
        cents=cents,
        off=off,
        refunded_at=refunded_at,
        stands_in=buys & (luck("stands in") < chances.sooner),
        redeems=arrives & (luck("redeems") < chances.redeems),
    )


@dataclass(frozen=True)
class _Basket:
    """Lines of the orders of a block of mails; `mail` is the place in the block."""

    mail: Ints
    product: Ints
    quantity: Floats
    cents: Ints
    off: Ints
    line: Ints

    def columns(self, number: Ints, *, off: bool) -> dict[str, object]:
        """Of the lines as ordered, less what is taken `off`; else as they are put into the cart.

        `number` is that of each mail of the block in the run.
        """
        columns: dict[str, object] = {
            "product": self.product,
            "quantity": self.quantity,
            "cents": self.cents - (self.off if off else 0),
            "mail": number[self.mail],
            "caused": np.ones(len(self.mail), dtype=bool),
            "place": self.line + (BUYING if off else FILLING),
        }
        if off:
            columns["off"] = pl.Series(self.off).replace(0, None)
        return columns


def _basket(truth: Truth, mails: Mails, buying: Ints, *, seed: int) -> _Basket:
    """One line of what the mail shows, the others by the customer's own taste."""
    people, shelf = truth.population, truth.shelf
    of_mail = mails.only(buying)
    who, at = of_mail.customer, of_mail.at
    more = people.more_lines[who]
    luck = thrown("lines", who, at, seed=seed)
    count = np.minimum(np.floor(np.log1p(-luck) / np.log(more)) + 1, MOST_LINES).astype(np.int64)
    place = np.repeat(np.arange(len(who)), count)
    line = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
    # The luck of a line is that of its mail, under the line's own name.
    dice = np.stack(
        [_by_line(f"line {which}", who[place], at[place], line, seed=seed) for which in range(6)]
    )
    own = people.chosen(who[place], at[place], dice[:5], shelf)
    shown = _first_shown(of_mail, thrown("first line", who, at, seed=seed))[place]
    product = np.where((line == 0) & (shown >= 0), shown, own)
    quantity = 1.0 + (dice[5] < TWO_OF_IT)
    cents = (shelf.cents[product] * quantity).astype(np.int64)
    off = np.rint(cents * of_mail.discount[place]).astype(np.int64)
    return _Basket(buying[place], product, quantity, cents, off, line)


def _by_line(purpose: str, who: Ints, at: Ints, line: Ints, *, seed: int) -> Floats:
    return thrown(purpose, who * MOST_LINES + line, at, seed=seed)


def _first_shown(mails: Mails, uniform: Floats) -> Ints:
    """One of the shown products, NO_PRODUCT where none is shown."""
    count = (mails.products >= 0).sum(axis=1)
    place = np.minimum((uniform * count).astype(np.int64), SHOWN - 1)
    # Products stand in the first places; the others are NO_PRODUCT.
    product: Ints = mails.products[np.arange(len(mails)), place]
    return product


@dataclass(frozen=True)
class _Views:
    """Products looked at after clicks; `mail` is the place in the block, `view` in the visit."""

    mail: Ints
    customer: Ints
    at: Ints
    product: Ints
    seconds: Floats
    view: Ints

    def as_rows(self, number: Ints) -> pl.DataFrame:
        return rows(
            "view", self.customer, self.at, product=self.product, seconds=self.seconds,
            mail=number[self.mail], caused=np.ones(len(self.mail), dtype=bool),
            place=PLACES["view"] + self.view,
        )  # fmt: skip


def _views(mails: Mails, clicked_at: Ints, clicking: Ints, uniform: Floats) -> _Views:
    """Who clicks looks at one or two of the shown products."""
    count = np.minimum((mails.products[clicking] >= 0).sum(axis=1), LOOKS_AT)
    count = np.minimum(count, 1 + (uniform[clicking] < 0.5))
    mail = np.repeat(clicking, count)
    view = np.arange(len(mail)) - np.repeat(np.cumsum(count) - count, count)
    return _Views(
        mail=mail,
        customer=mails.customer[mail],
        at=clicked_at[mail] + (2 + 20 * view) * SECOND,
        product=mails.products[mail, view],
        seconds=15 + 60 * uniform[mail],
        view=view,
    )
