"""What must hold for every decision, looked at again from outside before anybody reads it.

These are no second policy: they ask little, each in its own way, so that a fault of the policy and
a fault of the check are unlikely to be the same.

- I1 nobody is mailed who may not be
- I2 a mail leaves within the allowed hours and days, neither before now nor after its window
- I3 no cap of a rolling window is broken, sent and promised mails together
- I4 no decision and no request has two answers
- I5 nobody is mailed after a withdrawal of consent is known
- I6 products are on the shelf, released and, unless due or their own choice, not just bought
- I7 every decision explains itself
- I8 what a guardrail forbids does not go

I4 (the same answer again), I5 (what was promised before) and I8 (more restrictions never mail more)
hold between decisions too: tests/spec/test_invariants.py asks that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import polars as pl

from features.acts import IS_ABOUT_EMAIL
from features.errors import OnjeError
from features.localtime import local_of
from serving.brake import brake_of, caps_under
from serving.conditions import Conditions
from serving.frequency import class_of
from serving.guardrail_settings import CAPPED, DAYS, MARKETING, TRANSACTIONAL, CapsSettings
from serving.knowledge import Knowledge
from serving.law import EMAIL, LAWS
from serving.scores import Scores
from serving.settings import ServingSettings
from serving.tables import KEY
from serving.triggers import TRIGGERS

SHOWN = 5
FORBIDDING = ("unsubscribe", "complaint", "erase")
# Picks that show what customers chose themselves, however lately they bought it.
OWN_CHOICE = ("cart", "bought", "viewed")


class BrokenInvariant(OnjeError):
    """A decision that must never be made; nothing of its run may be used."""

    exit_code = 15


@dataclass(frozen=True)
class Grounds:
    """What decisions were made from.

    `people`: KEY, email_consent, suppressed_by, consent_confirmed_at, one row each. `items`: KEY,
    item, due_ratio. `history` (columns of HISTORY), `mail` (MAIL) and
    `products` (PRODUCTS) may hold more than theirs.
    """

    people: pl.DataFrame
    items: pl.DataFrame
    history: pl.DataFrame
    mail: pl.DataFrame
    products: pl.DataFrame
    conditions: Conditions


def grounds_of(knowledge: Knowledge, scores: Scores) -> Grounds:
    """The grounds of decisions that were made from these."""
    return Grounds(
        people=scores.people,
        items=scores.products,
        history=knowledge.history,
        mail=knowledge.mail,
        products=knowledge.products,
        conditions=knowledge.conditions,
    )


def assert_invariants(decisions: pl.DataFrame, grounds: Grounds, settings: ServingSettings) -> None:
    """Raise BrokenInvariant, with rules and decision ids, where rows of DECISIONS break any."""
    broken = broken_invariants(decisions, grounds, settings)
    if broken.is_empty():
        return
    named = broken.group_by("rule", maintain_order=True).agg("decision_id")
    told = [
        f"{rule} (broken by {len(ids):,}: {', '.join(ids[:SHOWN])})" for rule, ids in named.rows()
    ]
    raise BrokenInvariant(
        f"nothing is published, for decisions break what must always hold: {'; '.join(told)}. "
        "This is a fault of Onje, not of your data: report it with these ids"
    )


def broken_invariants(
    decisions: pl.DataFrame, grounds: Grounds, settings: ServingSettings
) -> pl.DataFrame:
    """`rule` and `decision_id` of each row that breaks one, in the order of the rules."""
    sends = _sends(decisions, settings)
    parts = [
        pl.DataFrame({"rule": rule, "decision_id": list(ids)}, schema=_BROKEN)
        for rule, ids in _asked(decisions, sends, grounds, settings)
        if len(ids)
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema=_BROKEN)


_BROKEN = pl.Schema({"rule": pl.String(), "decision_id": pl.String()})


def _sends(decisions: pl.DataFrame, settings: ServingSettings) -> pl.DataFrame:
    """The mails among the decisions, by the clock of who gets them."""
    sends = decisions.filter(pl.col("action") == "send").with_columns(mail_class=class_of(settings))
    if sends.is_empty():
        return sends.with_columns(local=pl.lit(None, pl.Datetime("us")))
    local = local_of(sends.get_column("send_at"), sends.get_column("timezone"))
    return sends.with_columns(local.alias("local"))


def _asked(
    decisions: pl.DataFrame, sends: pl.DataFrame, grounds: Grounds, settings: ServingSettings
) -> Iterator[tuple[str, Collection[str]]]:
    yield "I1 who may not be mailed is not", _mailable(sends, grounds, settings)
    yield "I2 mail leaves at allowed times", _in_time(sends, settings)
    yield "I3 no cap is broken", _over_caps(sends, grounds, settings)
    yield "I4 one answer to each question", _doubled(decisions)
    yield "I5 nobody is mailed after a withdrawal", _withdrawn(sends, grounds.history)
    yield "I6 products can be offered", _unfit_products(sends, grounds, settings)
    yield "I7 every decision explains itself", _unexplained(decisions)
    yield "I8 what is forbidden does not go", _forbidden(sends)


def _ids(rows: pl.DataFrame, breaks: pl.Expr) -> Collection[str]:
    """Whatever cannot be told to hold is broken."""
    return rows.filter(breaks.fill_null(True)).get_column("decision_id").to_list()


# Whose law the mail goes by.
_LEGAL = pl.col("slots").struct.field("legal")


def _mailable(sends: pl.DataFrame, grounds: Grounds, settings: ServingSettings) -> Collection[str]:
    of_people = ("email_consent", "suppressed_by", "consent_confirmed_at")
    known = sends.select(*KEY, "decision_id", "mail_class", "send_at", legal=_LEGAL).join(
        grounds.people.select(*KEY, *of_people, found=pl.lit(True)), on=KEY, how="left"
    )
    reachable = ~pl.col("suppressed_by").is_in(["bounce", "erase"]).fill_null(False)
    allowed = (pl.col("email_consent") == "granted") & pl.col("suppressed_by").is_null()
    is_transactional = pl.col("mail_class") == TRANSACTIONAL
    may = pl.when(is_transactional).then(reachable).otherwise(allowed) & pl.col("found")
    is_marketing = pl.col("mail_class") == MARKETING
    is_stopped = brake_of(grounds.conditions, settings.brake).state == "stopped"
    may = may & ~(is_marketing & (_runs_out(settings) | pl.lit(is_stopped)))
    return _ids(known, ~may)


def _runs_out(settings: ServingSettings) -> pl.Expr:
    """Consent that was not confirmed for as long as the law of the receipt allows."""
    overdue = pl.lit(False)
    for law in LAWS.values():
        if law.channel == EMAIL and law.confirm_years and settings.law.silence_ends_consent:
            ends = pl.col("consent_confirmed_at").dt.offset_by(f"{law.confirm_years}y")
            is_over = (pl.col("send_at") >= ends).fill_null(True)
            overdue = overdue | ((pl.col("legal") == law.jurisdiction).fill_null(True) & is_over)
    return overdue


def _in_time(sends: pl.DataFrame, settings: ServingSettings) -> Collection[str]:
    policy = settings.policy
    days = [DAYS.index(day) + 1 for day in policy.allowed_days]
    quiet = pl.col("local").dt.hour().cast(pl.Int64).is_in(list(policy.quiet_hours))
    of_clock = quiet | ~pl.col("local").dt.weekday().cast(pl.Int64).is_in(days)
    breaks = (
        (pl.col("send_at") < pl.col("as_of"))
        | (pl.col("send_at") > pl.col("valid_until"))
        | (of_clock & (pl.col("mail_class") != TRANSACTIONAL))
        | (pl.col("local") != pl.col("local_send_at"))
        | (~pl.col("timezone_known") & ~_tells("unknown_zone"))
    )
    return _ids(sends, breaks)


def _tells(code: str) -> pl.Expr:
    return pl.col("because").list.eval(pl.element().struct.field("code") == code).list.any()


def _over_caps(sends: pl.DataFrame, grounds: Grounds, settings: ServingSettings) -> Collection[str]:
    """Mails within any window that holds the one decided, counted one by one."""
    caps = caps_under(brake_of(grounds.conditions, settings.brake), settings.caps)
    mine = sends.filter(pl.col("mail_class").is_in(CAPPED)).select(
        "decision_id", *KEY, "mail_class", "send_at"
    )
    customers = mine.get_column("customer_id").unique().implode()
    sent = grounds.history.filter(
        pl.col("kind") == "send", IS_ABOUT_EMAIL, pl.col("customer_id").is_in(customers)
    ).unique("event_id")
    # A mail that was sent needs to be known by then; a promise counts whenever it was made.
    others = pl.concat(
        [
            sent.select("customer_id", "email", "at", "known_at", of=pl.lit(None, pl.String)),
            grounds.mail.filter(pl.col("customer_id").is_in(customers)).select(
                "customer_id", "email", "at", known_at=pl.lit(None, sent.schema["known_at"]),
                of="decision_id",
            ),
        ]
    ).with_columns(other_class=class_of(settings))  # fmt: skip
    beside = (
        mine.join(others, on="customer_id")
        .filter(
            pl.col("known_at").is_null() | (pl.col("known_at") <= pl.col("as_of")),
            pl.col("of").ne_missing(pl.col("decision_id")),
        )
        .with_columns(apart=(pl.col("at") - pl.col("send_at")).dt.total_microseconds())
    )
    return _over_counts(beside, caps) | _too_close(beside, caps)


def _over_counts(beside: pl.DataFrame, caps: CapsSettings) -> set[str]:
    broken: set[str] = set()
    for name in CAPPED:
        limits = getattr(caps, name)
        same = beside.filter(pl.col("mail_class") == name, pl.col("other_class") == name)
        itself = same.select("decision_id").unique().with_columns(apart=pl.lit(0, pl.Int64))
        near = pl.concat([itself, same.select("decision_id", "apart")])
        for cap, days in ((limits.per_24h, 1), (limits.per_7d, 7), (limits.per_30d, 30)):
            window = days * 24 * 3_600_000_000
            # Each window begins with one of the mails that lie no later than the one decided.
            begins = near.filter(pl.col("apart").is_between(-window, 0, closed="right"))
            begins = begins.select("decision_id", begins="apart").unique()
            within = begins.join(near, on="decision_id").filter(
                pl.col("apart") >= pl.col("begins"), pl.col("apart") < pl.col("begins") + window
            )
            counts = within.group_by("decision_id", "begins").len()
            broken |= set(counts.filter(pl.col("len") > cap).get_column("decision_id"))
    return broken


def _too_close(beside: pl.DataFrame, caps: CapsSettings) -> set[str]:
    gaps = {name: getattr(caps, name).min_gap_hours for name in CAPPED}
    of_all = caps.all.min_gap_hours
    own = pl.col("mail_class").replace_strict(gaps, return_dtype=pl.Float64)
    is_same = pl.col("mail_class") == pl.col("other_class")
    gap = pl.max_horizontal(pl.when(is_same).then(own).otherwise(0.0), pl.lit(of_all))
    close = beside.filter(
        pl.col("other_class").is_in(CAPPED), pl.col("apart").abs() < gap * 3_600_000_000
    )
    return set(close.get_column("decision_id"))


def _doubled(decisions: pl.DataFrame) -> Collection[str]:
    twice = pl.col("decision_id").is_duplicated() | pl.col("request_id").is_duplicated()
    return _ids(decisions, twice)


def _withdrawn(sends: pl.DataFrame, history: pl.DataFrame) -> Collection[str]:
    """Whose newest word, by when it became known, is no."""
    said = pl.col("reason").fill_null("")
    acts = history.filter(pl.col("kind").is_in([*FORBIDDING, "consent"]), IS_ABOUT_EMAIL)
    newest = (
        acts.join(sends.select("decision_id", "mail_class", *KEY), on="customer_id")
        .filter(pl.col("known_at") <= pl.col("as_of"))
        .with_columns(is_no=pl.col("kind").is_in(FORBIDDING) | (said == "denied"))
        .sort("known_at", "is_no")
        .group_by("decision_id", "mail_class")
        .agg(pl.col("is_no").last(), erased=(pl.col("kind") == "erase").any())
    )
    is_transactional = pl.col("mail_class") == TRANSACTIONAL
    return _ids(newest, pl.when(is_transactional).then("erased").otherwise("is_no"))


def _unfit_products(
    sends: pl.DataFrame, grounds: Grounds, settings: ServingSettings
) -> Collection[str]:
    policy = settings.policy
    own_choice = [
        name
        for name, email in settings.emails.items()
        if TRIGGERS[email.trigger].picks in OWN_CHOICE
    ]
    shown = sends.select("decision_id", *KEY, "email", product_id="products")
    shown = shown.explode("product_id").drop_nulls("product_id")
    on_shelf = grounds.products.select(
        "product_id", "available", "released_at", on_shelf=pl.lit(True)
    )
    days = pl.duration(milliseconds=round(86_400_000 * policy.recently_bought_days))
    earliest = pl.lit(sends.get_column("as_of").min(), sends.schema["as_of"]) - days
    just_bought = (
        grounds.history.filter(pl.col("kind") == "order", pl.col("at") > earliest)
        .join(shown, on=["customer_id", "product_id"])
        .filter(
            pl.col("known_at") <= pl.col("as_of"),
            pl.col("at").is_between(pl.col("as_of") - days, "as_of", closed="none"),
        )
        .select("decision_id", "product_id", just_bought=pl.lit(True))
        .unique()
    )
    due = (
        grounds.items.filter(pl.col("due_ratio") >= policy.due_share)
        .join(shown.select(KEY).unique(), on=KEY, how="semi")
        .select(*KEY, product_id="item", due=pl.lit(True))
    )
    told = (
        shown.join(on_shelf, on="product_id", how="left")
        .join(just_bought, on=["decision_id", "product_id"], how="left")
        .join(due, on=[*KEY, "product_id"], how="left")
        .with_columns(pl.col("on_shelf", "available", "just_bought", "due").fill_null(False))
    )
    unfit = (
        ~(pl.col("on_shelf") & pl.col("available"))
        | (pl.col("released_at") > pl.col("as_of")).fill_null(False)
        | (pl.col("just_bought") & ~pl.col("due") & ~pl.col("email").is_in(own_choice))
    )
    return set(_ids(told, unfit))


def _unexplained(decisions: pl.DataFrame) -> Collection[str]:
    chosen = (pl.col("propensity") > 0) & (pl.col("propensity") <= 1 + 1e-9)
    told = pl.col("because").list.len() > 0
    versions = pl.col("versions").str.contains('"policy"', literal=True) & pl.col(
        "versions"
    ).str.contains('"models"', literal=True)
    age = ~pl.col("known_customer") | pl.col("known_until").is_not_null()
    is_send = pl.col("action") == "send"
    complete = ~is_send | pl.all_horizontal(
        pl.col(name).is_not_null() for name in ("email", "variant", "send_at", "slots", "value")
    )
    features = pl.col("features").str.len_bytes() > 2
    return _ids(decisions, ~(chosen & told & versions & age & complete & features))


def _forbidden(sends: pl.DataFrame) -> Collection[str]:
    """The chosen e-mail among the arms: something forbids it, or it has no open instant."""
    arms = (
        sends.select("decision_id", chosen="email", arms="arms")
        .explode("arms")
        .unnest("arms")
        .filter(pl.col("email") == pl.col("chosen"))
    )
    stands = (
        (pl.col("forbidden_by").list.len() == 0)
        & pl.col("send_at").is_not_null()
        & (pl.col("propensity") > 0)
    )
    missing = set(sends.get_column("decision_id")) - set(arms.get_column("decision_id"))
    return missing | set(_ids(arms, ~stands))
