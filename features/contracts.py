"""The tables Onje agrees on with the world: columns, types and the rules that a row must keep.

Rules end in `fill_null(False)`: a rule that cannot be decided counts as broken, else a row would
be in neither half of a split and lost in silence.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

KINDS = (
    "signup", "consent", "profile", "session", "view", "search", "cart_add", "cart_remove",
    "checkout", "order", "refund", "redeem", "review", "survey", "send", "deliver", "open",
    "click", "bounce", "complaint", "unsubscribe", "erase",
)  # fmt: skip
CHANNELS = ("email", "web", "app", "store", "push", "sms", "other")
# The source of events that a simulated world made up; no shop may call its own so.
SIMULATED = "simulated"

# What decides whether mail is allowed.
PERMISSION_KINDS = ("consent", "bounce", "complaint", "unsubscribe", "erase")
# Kept in a customer's history, however long it is: without these, too much mail would be allowed,
# since a busy customer's mails of today would make no cap, no gap and no repetition.
ALWAYS_KEPT = (*PERMISSION_KINDS, "send")
# The customer's own doing: what counts as activity.
OWN_KINDS = (
    "session", "view", "search", "cart_add", "cart_remove", "checkout", "order", "redeem",
    "review", "survey", "click",
)  # fmt: skip

LATEST_CLOCK_ERROR = pl.duration(minutes=5)


def _id(*, nullable: bool) -> dy.String:
    return dy.String(nullable=nullable, min_length=1, max_length=255)


def _at(*, nullable: bool = False) -> dy.Datetime:
    return dy.Datetime(time_unit="us", time_zone="UTC", nullable=nullable)


def _money() -> dy.Decimal:
    return dy.Decimal(18, 4, nullable=True)


class Events(dy.Schema):
    """The one append-only log: what customers did and what was done to them."""

    event_id = _id(nullable=False)
    customer_id = _id(nullable=False)
    at = _at()
    known_at = _at()
    kind = dy.Enum(KINDS, nullable=False)
    channel = dy.Enum(CHANNELS, nullable=False)
    product_id = _id(nullable=True)
    quantity = dy.Float64(nullable=True)
    amount = _money()
    currency = dy.String(nullable=True, regex="^[A-Z]{3}$")
    discount = _money()
    coupon = dy.String(nullable=True)
    payment = dy.String(nullable=True)
    link = dy.String(nullable=True)
    query = dy.String(nullable=True)
    reason = dy.String(nullable=True)
    duration_s = dy.Float64(nullable=True)
    order_id = _id(nullable=True)
    message_id = _id(nullable=True)
    decision_id = _id(nullable=True)
    email = dy.String(nullable=True)
    variant = dy.String(nullable=True)
    machine = dy.Bool(nullable=True)
    source = _id(nullable=False)
    attributes = dy.String(nullable=True)

    @dy.rule()
    def it_did_not_happen_in_the_future(cls) -> pl.Expr:
        return (pl.col("at") <= pl.col("known_at")).fill_null(False)

    @dy.rule()
    def an_order_line_has_amount_and_order_id(cls) -> pl.Expr:
        complete = pl.col("amount").is_not_null() & pl.col("order_id").is_not_null()
        return ((pl.col("kind") != "order") | complete).fill_null(False)

    @dy.rule()
    def a_refund_has_an_amount(cls) -> pl.Expr:
        return ((pl.col("kind") != "refund") | pl.col("amount").is_not_null()).fill_null(False)

    @dy.rule()
    def money_is_not_negative_and_has_a_currency(cls) -> pl.Expr:
        amount, discount = pl.col("amount"), pl.col("discount")
        named = amount.is_null() | pl.col("currency").is_not_null()
        return ((amount.fill_null(0) >= 0) & (discount.fill_null(0) >= 0) & named).fill_null(False)

    @dy.rule()
    def a_quantity_is_positive_and_finite(cls) -> pl.Expr:
        quantity = pl.col("quantity").fill_null(1.0)
        return ((quantity > 0) & quantity.is_finite()).fill_null(False)

    @dy.rule()
    def a_duration_is_not_negative_and_finite(cls) -> pl.Expr:
        duration = pl.col("duration_s").fill_null(0.0)
        return ((duration >= 0) & duration.is_finite()).fill_null(False)

    @dy.rule()
    def consent_says_which_way(cls) -> pl.Expr:
        said = pl.col("reason").fill_null("").is_in(["granted", "denied", "reconfirmed"])
        return ((pl.col("kind") != "consent") | said).fill_null(False)

    @dy.rule()
    def a_bounce_is_hard_or_soft(cls) -> pl.Expr:
        said = pl.col("reason").fill_null("").is_in(["hard", "soft"])
        return ((pl.col("kind") != "bounce") | said).fill_null(False)

    @dy.rule()
    def ids_hold_no_nul(cls) -> pl.Expr:
        ids = ("event_id", "customer_id", "product_id", "order_id")
        clean = [~pl.col(name).fill_null("").str.contains("\0", literal=True) for name in ids]
        return pl.all_horizontal(clean).fill_null(False)


class Customers(dy.Schema):
    """What is known of a customer as a person, at a time; no e-mail address, no name."""

    customer_id = _id(nullable=False)
    known_at = _at()
    timezone = dy.String(nullable=True)
    locale = dy.String(nullable=True)
    country = dy.String(nullable=True)
    region = dy.String(nullable=True)
    birthday = dy.String(nullable=True, regex=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")
    signed_up_at = _at(nullable=True)
    age_years = dy.Float64(nullable=True, min=0, max=130)
    household_size = dy.Float64(nullable=True, min=0, max=50)
    children = dy.Float64(nullable=True, min=0, max=50)
    income_thousands = dy.Float64(nullable=True, min=0)
    attributes = dy.String(nullable=True)


class Products(dy.Schema):
    """The shelf."""

    product_id = _id(nullable=False)
    title = dy.String(nullable=True)
    category = dy.String(nullable=True)
    brand = dy.String(nullable=True)
    price = _money()
    currency = dy.String(nullable=True, regex="^[A-Z]{3}$")
    released_at = _at(nullable=True)
    available = dy.Bool(nullable=False)


class Spine(dy.Schema):
    """The rows for which something is to be known: a customer at a moment."""

    customer_id = _id(nullable=False)
    as_of = _at()


class History(dy.Schema):
    """Events as features read them: one currency, the product's category, no free text."""

    event_id = _id(nullable=False)
    customer_id = _id(nullable=False)
    at = _at()
    known_at = _at()
    kind = dy.Enum(KINDS, nullable=False)
    channel = dy.Enum(CHANNELS, nullable=False)
    product_id = _id(nullable=True)
    category = dy.String(nullable=True)
    quantity = dy.Float64(nullable=True)
    amount = _money()
    discount = _money()
    coupon = dy.String(nullable=True)
    payment = dy.String(nullable=True)
    link = dy.String(nullable=True)
    query = dy.String(nullable=True)
    reason = dy.String(nullable=True)
    duration_s = dy.Float64(nullable=True)
    order_id = _id(nullable=True)
    message_id = _id(nullable=True)
    email = dy.String(nullable=True)
    machine = dy.Bool(nullable=True)
