"""The page of guardrails, classes of mail, the complaint brake and the law, printed from code."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from serving import invariants
from serving.email_defaults import with_email_defaults
from serving.guardrail_settings import CAPPED, TRANSACTIONAL
from serving.guardrails import GUARDRAILS
from serving.law import LAWS

ROOT = Path(__file__).parent.parent

_INTRO = """\
# Guardrails

<!-- printed from code by `make docs`; edit the code, not this page -->

What forbids an e-mail, whatever it would be worth. What cannot be decided is forbidden: a null, a
word that nobody knows, a store that does not answer. Each name is a reason code of answers and
receipts, and has a page of examples in `tests/spec/guardrails/`.

Guardrails are asked inside the choice, not after it: of the instants that none of them shuts the
best is taken, and where an e-mail has none left the next best e-mail goes.
"""

_BRAKE = """
## Complaint brake

`complaints_7d / delivered_7d` over all customers: from `halve_at` on the caps of marketing are
halved (rounded down, each at least 1), from `stop_at` on no marketing leaves until the seven days
have passed. Mailbox providers judge the share that they see, so it is taken as it is, without a
lower bound; fewer than `least_delivered` delivered mails count as so many, so that one complaint
among 50 stops nobody and a handful does. A complaint told online counts at the next decision;
delivered mails are counted by `onje publish` and `onje rescore` (those sent, where the sender tells
no deliveries). Mails of all mailbox providers count together: Onje knows no addresses.
`onje doctor` shows the share.
"""

_LAW = """
## Law

Not legal advice. The customer's `country` (two letters, ISO 3166; `default_country` where nobody
told it) says whose law holds. What is no country (KO, Korea) is treated as strictly as any; `onje
doctor` counts those, and whoever has none. Onje decides on e-mail; the rows of other channels stand
for whoever adds them. What the law prints into a mail comes as the slots `subject_prefix`,
`list_unsubscribe` (the two headers of RFC 8058) and `legal`.

Consent is wanted everywhere, also where the law would let mail go without: unknown is no. Quiet
hours and allowed days are the merchant's own choice and no law: the statutory night of Korea
(21:00 to 8:00) needs a consent of its own for text messages and push, and exempts e-mail.

Where consent has to be confirmed anew, it ends at the beginning of the day on which the years are
full; from then on `consent_expired` forbids marketing until a `consent` event `granted` or
`reconfirmed` is known. What silence means is disputed: `silence_ends_consent = false` lets it
stand. A service e-mail (`opt_in_renewal`) still goes, to ask. Where somebody is to be told within
14 days what became of their consent, refusal or withdrawal, `consent_notice` applies, once for each
time they said something; it is transactional, so it goes also to who said no.
"""

_INVARIANTS = """
## Invariants

Looked at again, independently of the policy, on every row of a night before it is published
(`serving/invariants/`); one broken row and nothing of the run is published. The same hold after
each step of a life in which anything may happen (`tests/spec/test_invariants.py`), and with 64
callers at once on SQLite (`tests/spec/test_concurrency.py`).
"""


def page() -> str:
    """`docs/guardrails.md` as guardrails, onje.toml and the table of laws have it."""
    written = with_email_defaults(tomllib.loads((ROOT / "onje.toml").read_text("utf-8")))
    parts = [
        _INTRO, *_guardrails(), *_classes(written), _BRAKE, *_brake(written["brake"]),
        _LAW.rstrip(), "", *_laws(), _INVARIANTS.rstrip(), "", *_invariants(), "",
    ]  # fmt: skip
    return "\n".join(parts)


def _guardrails() -> Iterator[str]:
    yield "| guardrail | what has to be so |\n|---|---|"
    for name, meaning in GUARDRAILS.items():
        yield f"| `{name}` | {meaning} |"


def _classes(written: Mapping[str, Any]) -> Iterator[str]:
    yield "\n## Classes of mail\n"
    yield "| class | in 24 hours | in 7 days | in 30 days | hours between two | e-mails |"
    yield "|---|---|---|---|---|---|"
    caps = written["caps"]
    for name in CAPPED:
        of = caps[name]
        yield (
            f"| {name} | {of['per_24h']} | {of['per_7d']} | {of['per_30d']} "
            f"| {of['min_gap_hours']:g} | {_emails_of(name, written)} |"
        )
    yield f"| {TRANSACTIONAL} | any | any | any | 0 | {_emails_of(TRANSACTIONAL, written)} |"
    yield (
        f"\nBetween a {CAPPED[0]} and a {CAPPED[1]} e-mail lie {caps['all']['min_gap_hours']:g} "
        "hours. Windows roll and look both ways; sent and promised mails count alike, and an "
        "e-mail that is not in the catalogue counts as marketing.\n\n"
        "A transactional e-mail passes caps, gaps, quiet hours, allowed days, the holdout, "
        "exploration, consent, an unsubscribe and a complaint, and goes before any other e-mail; "
        "it passes `repeat` where it is asked for by name, or where what it is about happened "
        "after it last left (a receipt for each order, and never two for one); "
        "it never passes a hard bounce or an erasure. A service e-mail needs consent and has caps "
        "of its own, and passes the complaint brake, the sunset of a workflow and a consent that "
        "has to be confirmed anew."
    )


def _emails_of(mail_class: str, written: Mapping[str, Any]) -> str:
    names = [n for n, email in written["emails"].items() if email["mail_class"] == mail_class]
    if mail_class == CAPPED[0]:
        return f"the other {len(names)}"
    return ", ".join(names) or "none"


def _brake(brake: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"In `onje.toml`: halved from {brake['halve_at']:.2%} on, stopped from "
        f"{brake['stop_at']:.2%} on, at least {brake['least_delivered']:,} delivered."
    )


def _laws() -> Iterator[str]:
    yield (
        "| whose | channel | objection | confirm anew | tell within | night | subject begins | "
        "RFC 8058 | where it stands |\n|---|---|---|---|---|---|---|---|---|"
    )
    for law in LAWS.values():
        anew = f"every {law.confirm_years} years" if law.confirm_years else "never"
        notice = f"{law.notice_days} days" if law.notice_days else "-"
        night = "own consent" if law.night_consent else "free"
        rfc = "yes" if law.list_unsubscribe else "no"
        yield (
            f"| {law.jurisdiction} | {law.channel} | {law.objection} | {anew} | {notice} | {night} "
            f"| {law.subject_prefix or '-'} | {rfc} | {law.sources} |"
        )


def _invariants() -> Iterator[str]:
    lines = (invariants.__doc__ or "").splitlines()
    yield from (line for line in lines if line.startswith("- I"))
