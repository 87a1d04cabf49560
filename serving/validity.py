"""Whether a decision still holds: asked by the sender just before the mail leaves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

import polars as pl

from serving.candidates import applies_to
from serving.effective import Effective
from serving.guardrails import CONSENT, SUPPRESSION
from serving.known_now import KnownNow
from serving.leaving import shut_by
from serving.older import missing_in
from serving.reasons import told
from serving.schemas.message import Reason
from serving.stock import NOWHERE, stock_of
from serving.store import Decided, View

ENDED = {
    "sent": "this mail was sent",
    "cancelled": "it was cancelled",
    "superseded": "a later decision took its place",
}
CODES: Mapping[str, str] = {
    "sent": "the mail was sent, a `send` event with this decision_id says so",
    "cancelled": "it was taken back",
    "superseded": "a plan of the night that a later decision took the place of",
    "expired": "`valid_until` has passed",
    "unknown_email": "the catalogue has no such e-mail any more",
    "bought": "they ordered one of the products it shows since",
    "off_the_shelf": "one of the products it shows is not on the shelf any more",
    "no_longer_applies": "its trigger applies no more",
    "older_release": "an earlier release made it, whose receipts do not hold what has to be asked",
    "something_happened": "a wait: something happened to them since, so ask again",
}
# What a sender or a mailbox tells of a mail that left: by it no trigger ceases to apply.
OF_DELIVERY = ("send", "deliver")


def invalid_because(decided: Decided, view: View, settings: Effective) -> list[Reason]:
    """Why the decision holds no more; none where it still does.

    `view` is of its customer, now. What can be said quickly is said first. Then whatever shuts
    the instant at which it would leave, its own or this one, is asked every time, for much of it
    comes by time alone. Whether its e-mail still applies is asked, without models, only where an
    event of the customer or the settings have changed since.
    """
    if decided.state in ENDED:
        return [Reason(code=decided.state, text=ENDED[decided.state])]
    lacks = missing_in(decided.receipt)
    if lacks:
        return [_reason("older_release", f"its receipt has no {', '.join(lacks)}; decide again")]
    known = KnownNow(decided, view, settings)
    since = _since(decided, view.knowledge.history)
    quick = list(_quickly(known, since))
    if quick:
        return quick
    if decided.action == "wait":
        happened = [_reason("something_happened", "something happened since; ask again")]
        return happened if since.height else []
    return [*_shut(known), *_outlived(known, since)]


def _since(decided: Decided, history: pl.DataFrame) -> pl.DataFrame:
    """The events that the decision did not know."""
    known = decided.receipt["online_events"]
    at_once = (pl.col("known_at") == decided.as_of) & ~pl.col("event_id").is_in(known)
    return history.filter((pl.col("known_at") > decided.as_of) | at_once)


def _quickly(known: KnownNow, since: pl.DataFrame) -> Iterator[Reason]:
    decided, settings = known.decided, known.settings
    until = datetime.fromisoformat(decided.receipt["valid_until"])
    if known.now > until:
        yield _reason("expired", f"it was valid until {until:%Y-%m-%d %H:%M} UTC")
    if decided.email is None:
        return
    email = settings.serving.emails.get(decided.email)
    if email is None:
        yield _reason("unknown_email", f"{decided.email} is not in the catalogue any more")
        return
    if not email.enabled:
        yield _reason("switched_off", f"{decided.email} is switched off in onje.toml")
    yield from _forbidden(known.permissions, mail_class=email.mail_class)
    shown = decided.receipt["products"]
    if shown:
        yield from _of_products(shown, since, known)


def _forbidden(permissions: pl.DataFrame, *, mail_class: str) -> Iterator[Reason]:
    """What the customer themselves has put an end to."""
    person = permissions.with_columns(mail_class=pl.lit(mail_class), row=0)
    rules = (CONSENT.reason, SUPPRESSION.reason)
    for code, text in told(person, "row", rules).select("code", "text").rows():
        yield _reason(code, text)


def _of_products(shown: Collection[str], since: pl.DataFrame, known: KnownNow) -> Iterator[Reason]:
    bought = since.filter((pl.col("kind") == "order") & pl.col("product_id").is_in(shown))
    for product in bought.get_column("product_id").unique().sort():
        yield _reason("bought", f"they ordered {product} since")
    stock = stock_of(known.knowledge.products, depth=known.settings.features.category_depth)
    ordered = sorted(set(shown))
    released = stock.products.get_column("released_at")
    for product, place in zip(ordered, stock.places_of(ordered).tolist(), strict=True):
        out = None if place == NOWHERE else released[place]
        if place == NOWHERE or (out is not None and out > known.now):
            yield _reason("off_the_shelf", f"{product} is not on the shelf any more")


def _shut(known: KnownNow) -> Iterator[Reason]:
    """What shuts the instant at which it would leave; it never leaves before its own."""
    decided = known.decided
    assert decided.email is not None and decided.send_at is not None
    return shut_by(
        known.person,
        known.mails,
        known.knowledge.conditions,
        email=decided.email,
        at=max(known.now, decided.send_at),
        settings=known.settings.serving,
    )


def _outlived(known: KnownNow, since: pl.DataFrame) -> Iterator[Reason]:
    """Whether its trigger, or its step of a workflow, applies no more.

    Who asked for this one e-mail by name asked for its time alone.
    """
    decided = known.decided
    assert decided.email is not None
    only_time = len(set(decided.receipt["asked"].get("emails", ()))) == 1
    happened = (~since.get_column("kind").is_in(OF_DELIVERY)).any()
    is_same = known.settings.fingerprint == decided.receipt["settings"]
    if only_time or (is_same and not happened):
        return
    if not applies_to(known.everything, decided.email, known.settings.serving):
        yield _reason(
            "no_longer_applies",
            f"things are others than they were: {decided.email} applies no more",
        )


def _reason(code: str, text: str) -> Reason:
    return Reason(code=code, text=text)
