"""The e-mail of a decision as a block of HTML that a sender can paste, or look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from features.errors import NotReadyError, SettingsError
from serving.effective import Effective
from serving.rendering.mail_block import mail_block
from serving.rendering.sentences import language_of
from serving.store import Store


@dataclass(frozen=True)
class Rendered:
    """The block, and what the sender has to see to besides."""

    html: str
    language: str
    notes: list[str]


def render(
    decision_id: str,
    *,
    store: Store,
    settings: Effective,
    now: datetime,
    language: str | None,
    product_url: str | None,
) -> Rendered:
    """The block in this language; without one in the customer's own, or else in English."""
    decided = store.decision(decision_id)
    if decided is None:
        raise NotReadyError(f"no decision {decision_id}; dry runs are not recorded")
    if decided.email is None:
        raise NotReadyError(f"{decision_id} is to wait: there is no e-mail to show")
    emails = _settings_then(store, decided.receipt["settings"], settings).serving.emails
    known = store.view_of([decided.customer_id], now=now, settings=settings.features).knowledge
    shown = known.products.filter(pl.col("product_id").is_in(decided.receipt["products"]))
    locales = known.customers.get_column("locale").drop_nulls().to_list()
    spoken = language or language_of(locales[0] if locales else None)
    email = emails.get(decided.email)
    html = mail_block(
        decided.receipt,
        shown.rows(named=True),
        trigger=email.trigger if email else "",
        language=spoken,
        product_url=product_url,
    )
    return Rendered(html, spoken, list(_notes(decided.receipt["slots"])))


def _settings_then(store: Store, fingerprint: str, today: Effective) -> Effective:
    """Those of the decision; today's where they were not kept, or another release wrote them."""
    kept = store.kept_settings(fingerprint)
    try:
        return Effective.kept(kept) if kept else today
    except SettingsError:
        return today


def _notes(slots: dict[str, object]) -> list[str]:
    told = ["put your own link in the place of {{unsubscribe_url}}"]
    if slots.get("subject_prefix"):
        told.append(f"the subject has to begin with {slots['subject_prefix']}")
    if slots.get("list_unsubscribe"):
        told.append("send the headers List-Unsubscribe and List-Unsubscribe-Post (RFC 8058)")
    return told
