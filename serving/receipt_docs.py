"""The page of the receipt: each of its fields, and each code of a reason, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from serving.guardrails import GUARDRAILS
from serving.validity import CODES as OF_VALIDITY

# Of a receipt as `GET /v1/decisions/{id}` tells it: the columns of DECISIONS without `row`, and
# what serving.receipts.receipt_of adds.
RECEIPT: Mapping[str, str] = {
    "request_id": "the caller's id of the question; a plan's is its decision's own",
    "decision_id": "the decision; of a plan the UUIDv5 of run and customer",
    "customer_id": "whose",
    "as_of": "what was known at this moment counted, and nothing later (UTC, as all times)",
    "asked": "the question as it was understood, with the events of its context",
    "action": "`send` or `wait`",
    "email": "which e-mail; null for wait, as are all fields of the mail",
    "variant": "which of its variants, the same for this customer at every ask",
    "by": "`mail`, or `human` where a person is to write to them",
    "send_at": "when it leaves",
    "local_send_at": "the same moment by the customer's clock",
    "products": "what it shows, in this order",
    "slots": "what the sender's template may fill in, see below",
    "because": "the reasons, each with a code and a sentence, see below",
    "value": "what it is worth in money at its hour: the sum of its arm's parts",
    "propensity": "the chance of this very answer: of the e-mail or of none, times that of its "
    "hour; with `wait_propensity` those of all arms sum to 1",
    "email_propensity": "the chance of the e-mail, or of none",
    "hour_propensity": "the chance of the hour, given the e-mail",
    "wait_propensity": "the chance of no e-mail",
    "explored_email": "whether chance chose the e-mail, or none, among those that were allowed",
    "explored_hour": "whether chance chose the hour among those that were open",
    "holdout": "whether they belong to those who get no e-mail, so that its effect can be measured",
    "explore_share": "the share of e-mails that was left to chance",
    "experiments": "the experiments they take part in, with their arm and its propensity",
    "evidence_stage": "A: the merchant's figures; B: learnt responses; C: an uplift of each person",
    "workflow": "of which workflow the e-mail is a step, which step, and days since it began",
    "valid_until": "after this it must not leave (send), or one should ask again (wait)",
    "arms": "every e-mail that was asked about, see below: the eligible ones with their values "
    "and propensities, the others with what forbade them",
    "unconstrained_best": "the e-mail and the moment that would have won if no guardrail stood",
    "moved_by": "every guardrail that shuts the best minute of the chosen e-mail (its arm's "
    "`unconstrained_at`), whichever minute it goes at; empty where that is open, and for wait",
    "degraded": "whether a model was missing and rules stood in for it",
    "missing_models": "which ones, and of each whether it was refused",
    "known_customer": "whether anything was known of them; if not, the population answers",
    "timezone": "by which clock hours were taken",
    "timezone_known": "false: that clock is the shop's own",
    "segment": "the first segment that holds, see docs/features.md",
    "stage": "where they are on the journey",
    "own_segments": "the merchant's own segments that hold",
    "hour_source": "by whose hours: customer, segment, everyone, or default",
    "known_until": "when the newest thing was learnt of them: the age of the features",
    "sources": "the same by channel of the events; `person` is what was said of them themselves",
    "features": "every feature and score as it was read, by name (see docs/features.md)",
    "versions": "`models` (null: there was none), `synthetic` (which of them learnt from synthetic "
    "data), and SHA-256 of `policy` (whatever decides in the settings), `catalogue` (the "
    "e-mails), `features` (the code that makes them) and `code` (all code that decides)",
    "lake_versions": "the version of each table of the lake that was read; of a live decision, "
    "those that were published",
    "online_events": "ids of the events that the service knew beside the published ones",
    "promised": "the mails that were promised to them then, and counted in the caps",
    "conditions": "what held for all alike: prices of budgets, complaints of 7 days, the first "
    "live decision, the shares of arms that learn",
    "settings": "SHA-256 of all settings in force; the store keeps what stands behind it",
    "clock_offset_days": "how many days behind the present it decided",
    "seed": "with it, customer and day, everything that is left to chance is drawn again",
    "hash": "SHA-256 of what was decided; a live decision with a plan's hash says the same",
}

OF_ARM: Mapping[str, str] = {
    "email": "which e-mail",
    "variant": "the variant it would have",
    "applies": "whether its trigger applies",
    "because": "why, with the customer's own figures; null where it does not",
    "forbidden_by": "the guardrails that forbid it, each with its sentence; empty: it is eligible",
    "send_at": "its best allowed moment; null where none is",
    "value": "what it is worth there",
    "propensity": "the chance that it is chosen",
    "hours": "how many moments are open to it",
    "unconstrained_at": "its best moment if no guardrail stood",
    "unconstrained_value": "what it would be worth there",
    "clicks": "expected clicks",
    "orders": "expected orders that it brings, and those that come with it anyway",
    "unsubscribes": "expected unsubscribes and complaints",
    "margin": "+ margin of the orders it brings",
    "discount": "- what it gives away, also on orders that would have come anyway",
    "send_cost": "- cost of sending",
    "unsubscribe_cost": "- unsubscribes x the worth of a customer who can be mailed",
    "mail_price": "- price of one more e-mail, as far as the budget of mails binds",
    "coupon_price": "- price of one more coupon, as far as that budget binds",
    "unsubscribe_price": "- price of the expected unsubscribes, as far as that budget binds",
    "gives_away": "whether it comes with a coupon or a discount",
    "stands_back": "whether it gave way to the usual best, than which it is not surely better",
    "ordered_before": "the chance that they order while it waits; then it stays",
    "hour_lift": "what its hour multiplies clicks by",
    "freshness": "what is left of its worth after the wait, from 1 down",
    "fit": "how well the products fit, 1 = as usual",
    "learnt": "which parts models have learnt; the merchant said the others",
}

OF_SLOTS: Mapping[str, str] = {
    "category": "the favourite category, where the e-mail is about one",
    "interest": "the category they are likeliest to order from",
    "coupon": "the class of coupon",
    "discount": "the share taken off, as it has grown for them",
    "tone": "of the text",
    "region": "where they live, as CUSTOMERS says",
    "subject_prefix": "what the law wants at the beginning of the subject",
    "list_unsubscribe": "whether to send the headers of RFC 8058",
    "legal": "the jurisdiction whose rules hold",
    "elements": "which arm of an experiment each part of the mail takes",
}

# Of `because`; a guardrail's own code stands beside them where it is why nothing goes.
OF_REASONS: Mapping[str, str] = {
    "applies": "the trigger, with the customer's own figures",
    "only_time": "one e-mail was asked for by name: only its time was to be found",
    "now": "it leaves at once, that hour being the best",
    "hour": "why this hour, and by whose hours it was found",
    "borrowed_hour": "thin evidence: too little is known of their own hours, so those of their "
    "segment or of everyone stand in",
    "explored_email": "chance chose the e-mail, or none, to learn what each brings",
    "explored_hour": "chance chose the hour, to learn what each brings",
    "moved": "from when to when: the better minute was shut, by quiet hours, a day, a cap, a gap, "
    "a budget, a consent that runs out or an experiment's hour; each that shut it is told, see "
    "`moved_by`",
    "instead_of": "another e-mail would have been worth more, but a guardrail forbids it",
    "thin_evidence": "another e-mail may be worth more, but what is known of them is too little to "
    "leave the usual best for it",
    "holdout": "they belong to those who get no e-mail",
    "nothing_applies": "no trigger applies",
    "not_worth_it": "the best e-mail is worth less than none",
    "budget_price": "worth sending by itself, but not at the price of the budget",
    "budget": "the night's budget was used up by those for whom it was worth more",
    "workflow_step": "a step of a workflow is due",
    "unknown_customer": "nothing is known of them",
    "unknown_zone": "their time zone is unknown and the shop's is taken",
    "degraded": "a model is missing and rules stand in",
    "store_unavailable": "the store does not answer, so consent cannot be looked up; not recorded",
    "customer_is_changing": "too much happens to them at this moment; not recorded",
}

_INTRO = """# The receipt

<!-- printed from code by `make docs`; edit the code, not this page -->

Every decision leaves a receipt: what was asked, what was known, what each e-mail was worth and what
forbade it, what chance had a part in, and by which versions of everything it was made. `GET
/v1/decisions/{id}` tells it (a browser gets a page), `onje replay ID` decides again from it and
says whether every figure is the same, and `GET /v1/decisions/{id}/valid` says whether it still
holds.

A replay reads the lake at the receipt's versions, the online events that the receipt names, the
settings behind its fingerprint, the models by their versions and the promised mails of then.
Whatever became known later plays no part. The lake therefore keeps the log and the files of every
version: nothing in Onje vacuums it, and whoever does so by hand makes older decisions unreplayable.
"""


def page() -> str:
    """The whole page, as Markdown."""
    return "".join([
        _INTRO,
        *_table("Fields", "field", RECEIPT),
        *_table("Arms", "field of an arm", OF_ARM),
        "\nThe parts of an arm with a sign in front sum to its value at its moment.\n",
        *_table("Slots", "slot", OF_SLOTS),
        *_table("Reasons", "code", OF_REASONS),
        *_table("Guardrails", "code in `forbidden_by` and in `because`", GUARDRAILS),
        *_table("Why a decision holds no more", "code of `/valid`", OF_VALIDITY),
        "\nBeside these, any guardrail's code: it forbids the e-mail now.\n",
    ])  # fmt: skip


def _table(title: str, first: str, rows: Mapping[str, str]) -> Iterator[str]:
    yield f"\n## {title}\n\n| {first} | meaning |\n|---|---|\n"
    for name, meaning in rows.items():
        yield f"| `{name}` | {meaning.replace('|', chr(92) + '|')} |\n"
