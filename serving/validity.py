"""Whether a decision still holds: asked by the sender just before the mail leaves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import polars as pl

from features.permissions import permissions_as_of
from serving.answer import decisions_of
from serving.effective import Effective
from serving.guardrails import CONSENT, NO_PRODUCTS, RECENTLY_BOUGHT, SUPPRESSION
from serving.leaving import ASKED, shut_by
from serving.models import NO_MODELS
from serving.older import missing_in
from serving.promises import mails_of, standing_of
from serving.reasons import told
from serving.schemas.message import Reason
from serving.scores import Scores, scores_of
from serving.store import Decided, View
from serving.tables import KEY, REQUESTS, UTC
from serving.valuation import OWN

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
# Which products it shows was decided then, with models; of those `_of_products` says how they are.
OF_PRODUCTS = frozenset({NO_PRODUCTS.name, RECENTLY_BOUGHT.name})
# What models said when it was decided; nobody waits for them here.
SCORED = {
    "churn": pl.Float64(), "email_dormancy": pl.Float64(),
    "dormant_on": UTC, "dormant_within_30d": pl.Float64(),
}  # fmt: skip


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
    now = view.present[decided.customer_id]
    since = _since(decided, view.knowledge.history)
    quick = list(_quickly(decided, view, since, settings, now))
    if quick:
        return quick
    if decided.action == "wait":
        happened = [_reason("something_happened", "something happened since; ask again")]
        return happened if since.height else []
    scores = _scores(decided, view, settings, now)
    request = _request(decided, now)
    shut = list(_shut(decided, request, view, scores, settings, now))
    if since.is_empty() and settings.fingerprint == decided.receipt["settings"]:
        return shut
    return [*shut, *_by_the_rules(decided, request, view, scores, settings)]


def _since(decided: Decided, history: pl.DataFrame) -> pl.DataFrame:
    """The events that the decision did not know."""
    known = decided.receipt["online_events"]
    at_once = (pl.col("known_at") == decided.as_of) & ~pl.col("event_id").is_in(known)
    return history.filter((pl.col("known_at") > decided.as_of) | at_once)


def _quickly(
    decided: Decided, view: View, since: pl.DataFrame, settings: Effective, now: datetime
) -> Iterator[Reason]:
    until = datetime.fromisoformat(decided.receipt["valid_until"])
    if now > until:
        yield _reason("expired", f"it was valid until {until:%Y-%m-%d %H:%M} UTC")
    if decided.email is None:
        return
    email = settings.serving.emails.get(decided.email)
    if email is None:
        yield _reason("unknown_email", f"{decided.email} is not in the catalogue any more")
        return
    if not email.enabled:
        yield _reason("switched_off", f"{decided.email} is switched off in onje.toml")
    yield from _forbidden(decided, view, mail_class=email.mail_class, now=now)
    shown = decided.receipt["products"]
    if shown:
        yield from _of_products(shown, since, view.knowledge.products, now)


def _forbidden(decided: Decided, view: View, *, mail_class: str, now: datetime) -> Iterator[Reason]:
    """What the customer themselves has put an end to."""
    spine = _spine(decided.customer_id, now)
    person = permissions_as_of(view.knowledge.history, spine).with_columns(
        mail_class=pl.lit(mail_class), row=0
    )
    rules = (CONSENT.reason, SUPPRESSION.reason)
    for code, text in told(person.lazy(), "row", rules).select("code", "text").collect().rows():
        yield _reason(code, text)


def _of_products(
    shown: Collection[str], since: pl.DataFrame, products: pl.DataFrame, now: datetime
) -> Iterator[Reason]:
    bought = since.filter((pl.col("kind") == "order") & pl.col("product_id").is_in(shown))
    for product in bought.get_column("product_id").unique().sort():
        yield _reason("bought", f"they ordered {product} since")
    there = products.filter(
        pl.col("product_id").is_in(shown),
        pl.col("available"),
        pl.col("released_at").is_null() | (pl.col("released_at") <= now),
    )
    for product in sorted(set(shown) - set(there.get_column("product_id"))):
        yield _reason("off_the_shelf", f"{product} is not on the shelf any more")


def _request(decided: Decided, now: datetime) -> pl.DataFrame:
    """One row of REQUESTS: may this very e-mail go?"""
    asked = decided.receipt["asked"]
    row = {
        "row": 0, "request_id": asked["request_id"], "decision_id": decided.decision_id,
        "customer_id": decided.customer_id, "as_of": now, "emails": [decided.email],
        "earliest": None, "deadline": None,
    }  # fmt: skip
    return pl.DataFrame([row], schema=REQUESTS)


def _shut(
    decided: Decided,
    request: pl.DataFrame,
    view: View,
    scores: Scores,
    settings: Effective,
    now: datetime,
) -> Iterator[Reason]:
    """What shuts the instant at which it would leave; it never leaves before its own."""
    assert decided.email is not None and decided.send_at is not None
    standing = standing_of(scores, request, view.knowledge.mail, settings.serving)
    person = scores.people.with_row_index("person").with_columns(standing.drop(KEY))
    return shut_by(
        person,
        mails_of(request, view.knowledge, person.select("person", *KEY)),
        view.knowledge.conditions,
        email=decided.email,
        at=max(now, decided.send_at),
        settings=settings.serving,
    )


def _by_the_rules(
    decided: Decided, request: pl.DataFrame, view: View, scores: Scores, settings: Effective
) -> Iterator[Reason]:
    """What deciding again says of this one e-mail, but for what was asked of its instant.

    Its products are those that it was decided with, so what it would show now plays no part.
    """
    [arm] = decisions_of(
        request,
        view.knowledge,
        NO_MODELS,
        scores,
        settings=settings.serving,
        feature_settings=settings.features,
        valuation=OWN,
    )["arms"].item()
    only_time = len(set(decided.receipt["asked"].get("emails", ()))) == 1
    if not arm["applies"] and not only_time:
        yield _reason(
            "no_longer_applies",
            f"things are others than they were: {decided.email} applies no more",
        )
    for reason in arm["forbidden_by"]:
        if reason["code"] not in ASKED | OF_PRODUCTS:
            yield _reason(reason["code"], reason["text"])


def _scores(decided: Decided, view: View, settings: Effective, now: datetime) -> Scores:
    """What is known now, with what the models said then."""
    scores = scores_of(
        _spine(decided.customer_id, now),
        view.knowledge,
        NO_MODELS,
        settings=settings.serving,
        feature_settings=settings.features,
    )
    then: Mapping[str, Any] = decided.receipt["features"]
    said = {
        name: datetime.fromisoformat(then[name]) if dtype == UTC and then[name] else then[name]
        for name, dtype in SCORED.items()
        if name in then
    }
    people = scores.people.with_columns(
        pl.lit(value, SCORED[name]).alias(name) for name, value in said.items()
    )
    return replace(scores, people=people)


def _spine(customer_id: str, now: datetime) -> pl.DataFrame:
    return pl.DataFrame(
        [[customer_id], [now]], schema=dict(zip(KEY, (pl.String, UTC), strict=True))
    )


def _reason(code: str, text: str) -> Reason:
    return Reason(code=code, text=text)
