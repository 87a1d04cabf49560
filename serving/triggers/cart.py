"""An open cart or checkout: what they have chosen and not ordered."""

from __future__ import annotations

import polars as pl

from serving.triggers.trigger import NOTHING_HAPPENED, Trigger
from serving.triggers.words import hours, money, plural, whole

FAMILY = "An open cart"


def _cart() -> pl.Expr:
    return pl.format("a cart of {}", plural(whole(pl.col("cart_items")), "product", "products"))


CHECKOUT_LEFT = Trigger(
    name="checkout_left",
    family=FAMILY,
    meaning="they went to the checkout and did not order",
    parameters={"within_hours": "hours since they were at the checkout, at most"},
    applies=lambda p: pl.col("checkout_waiting_hours") <= p["within_hours"],
    because=lambda p: pl.format(
        "they left the checkout {} ago", hours(pl.col("checkout_waiting_hours"))
    ),
    since_hours=pl.col("checkout_waiting_hours"),
    picks="cart",
)

CART_REMINDER = Trigger(
    name="cart_reminder",
    family=FAMILY,
    meaning="a cart is open and has not been ordered",
    parameters={"within_hours": "hours since the cart was last touched, at most"},
    applies=lambda p: pl.col("cart_waiting_hours") <= p["within_hours"],
    because=lambda p: pl.format(
        "{} has waited for {}", _cart(), hours(pl.col("cart_waiting_hours"))
    ),
    since_hours=pl.col("cart_waiting_hours"),
    picks="cart",
)

TIME_LIMITED_OFFER = Trigger(
    name="time_limited_offer",
    family=FAMILY,
    meaning="a cart has stayed open for longer than a reminder is worth",
    parameters={
        "from_hours": "hours since the cart was last touched, at least",
        "until_hours": "hours since the cart was last touched, at most",
    },
    applies=lambda p: pl.col("cart_waiting_hours").is_between(p["from_hours"], p["until_hours"]),
    because=lambda p: pl.format(
        "{} has stayed open for {}", _cart(), hours(pl.col("cart_waiting_hours"))
    ),
    since_hours=NOTHING_HAPPENED,
    picks="cart",
)

PAYMENT_BENEFIT = Trigger(
    name="payment_benefit",
    family=FAMILY,
    meaning="a big cart is open, and a way of paying may tip the scale",
    parameters={
        "cart_value": "money in the cart, at least",
        "from_hours": "hours since the cart was last touched, at least",
    },
    applies=lambda p: (
        (pl.col("cart_value") >= p["cart_value"])
        & (pl.col("cart_waiting_hours") >= p["from_hours"])
    ),
    because=lambda p: pl.format(
        "a cart worth {} has waited for {}",
        money(pl.col("cart_value")),
        hours(pl.col("cart_waiting_hours")),
    ),
    since_hours=NOTHING_HAPPENED,
    picks="cart",
)

TRIGGERS = (CHECKOUT_LEFT, CART_REMINDER, TIME_LIMITED_OFFER, PAYMENT_BENEFIT)
