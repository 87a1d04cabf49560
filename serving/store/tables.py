"""The tables of the store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from serving.store.instants import from_microseconds, to_microseconds


class Instant(TypeDecorator[datetime]):
    """A moment: SQLite has no type of its own that keeps both zone and order."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_microseconds(value)


# A number that the database counts; SQLite counts only what it calls INTEGER, which has 64 bits.
Counted = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

# What was published from the lake: the past of each customer, who they are, what is for sale.
histories = Table(
    "histories",
    metadata,
    Column("customer_id", String(255), primary_key=True),
    Column("history", LargeBinary, nullable=False),
)
people = Table(
    "people",
    metadata,
    Column("customer_id", String(255), primary_key=True),
    Column("person", Text, nullable=False),
)
shelf = Table(
    "shelf",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("products", LargeBinary, nullable=False),
)

# What was told online since: durable before it is acknowledged. `compacted` is the number of the
# compaction that carried the event into the lake, null until then.
events = Table(
    "events",
    metadata,
    Column("number", Counted, primary_key=True),
    Column("event_id", String(255), nullable=False, unique=True),
    Column("customer_id", String(255), nullable=False, index=True),
    Column("known_at", Instant, nullable=False),
    Column("event", Text, nullable=False),
    Column("compacted", Integer, index=True),
    sqlite_autoincrement=True,
)

# Who reported mail as spam, from the lake and online; the number of the last days is a brake.
complaints = Table(
    "complaints",
    metadata,
    Column("event_id", String(255), primary_key=True),
    Column("at", Instant, nullable=False, index=True),
)

# What live decisions use of the budgets; `begins` is the first day of the period, by the shop's
# calendar, and stands in `period` too, behind the name of the budget.
budget_uses = Table(
    "budget_uses",
    metadata,
    Column("period", String(64), primary_key=True),
    Column("begins", String(10), nullable=False, index=True),
    Column("used", Double, nullable=False),
)

# How often what we know of a customer has changed. A decision is made on one revision and
# may reserve only if the customer is still on it: so two triggers at once cannot break a cap.
revisions = Table(
    "revisions",
    metadata,
    Column("customer_id", String(255), primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", String(36), primary_key=True),
    Column("customer_id", String(255), nullable=False),
    Column("as_of", Instant, nullable=False),
    Column("action", String(8), nullable=False),
    Column("email", String(255)),
    Column("send_at", Instant),
    Column("plan", Boolean, nullable=False),
    Column("state", String(16), nullable=False),  # issued | sent | cancelled | superseded
    Column("receipt", Text, nullable=False),
    Index("decisions_of_customer", "customer_id", "as_of"),
)
# Under which arm of each experiment a decision was made: receipts say it too, but who learns from
# experiments would have to read them all.
exposures = Table(
    "exposures",
    metadata,
    Column("decision_id", String(36), primary_key=True),
    Column("experiment", String(255), primary_key=True),
    Column("customer_id", String(255), nullable=False),
    Column("as_of", Instant, nullable=False, index=True),
    Column("email", String(255)),
    Column("applies", Text, nullable=False),
    Column("arm", String(64), nullable=False),
    Column("learnt", Text),
)
reservations = Table(
    "reservations",
    metadata,
    Column("decision_id", String(36), primary_key=True),
    Column("customer_id", String(255), nullable=False, index=True),
    Column("email", String(255), nullable=False),
    Column("send_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("state", String(16), nullable=False),  # reserved | sent | cancelled
)
requests = Table(
    "requests",
    metadata,
    Column("request_id", String(255), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False, index=True),
)

settings_patches = Table(
    "settings_patches",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", String(255), nullable=False),
    Column("patch", Text, nullable=False),
    sqlite_autoincrement=True,
)
# Settings that a decision was made under, by their SHA-256: a receipt names only that.
settings_kept = Table(
    "settings_kept",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("settings", Text, nullable=False),
)
# Taking a patch back leaves it where it is: history is only added to.
settings_undos = Table(
    "settings_undos",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", String(255), nullable=False),
)
# Keys of callers: of their secrets only SHA-256. After a rotation both hashes count for a while.
keys = Table(
    "keys",
    metadata,
    Column("key_id", String(32), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("scopes", String(255), nullable=False),  # names with spaces between
    Column("secret_hash", String(64), nullable=False),
    Column("older_hash", String(64)),
    Column("older_until", Instant),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
)
# Whoever was erased, by a keyed hash of their id: all that is left of them, so that an old log does
# not bring them back. What happened from `again_at` on is of their new life, null where none began.
erased = Table(
    "erased",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("again_at", Instant),
    Column("swept_at", Instant),  # since when nothing outside the store holds them
)
# Their mails that were under way, by a keyed hash of the decision's id: who sends asks of them yet.
erased_decisions = Table(
    "erased_decisions",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("at", Instant, nullable=False, index=True),
)
# What webhooks brought, until it is parsed; then what could not be, until somebody sees to it.
deliveries = Table(
    "deliveries",
    metadata,
    Column("number", Counted, primary_key=True),
    Column("source", String(64), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("claimed_until", Instant),
    Column("claims", Integer, nullable=False),  # how often somebody began to parse it
    # A number must not return: who settles late would take another delivery away.
    sqlite_autoincrement=True,
)
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("number", Counted, primary_key=True),
    Column("source", String(64), nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("died_at", Instant, nullable=False),
    sqlite_autoincrement=True,  # nor here: it is by number that somebody drops them
)
# When to decide on a customer unasked: one row each, of what comes first. `cause` names it, so that
# nobody decides twice for one; `since` is when it came about, and who claims the row works on it.
follow_due = Table(
    "follow_due",
    metadata,
    Column("customer_id", String(255), primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("cause", String(64), nullable=False),
    Column("why", String(16), nullable=False),  # event | plan | time | workflow
    Column("since", Instant, nullable=False),
    Column("decided_at", Instant),
    Column("claimed_until", Instant),
)
# What is handed to outputs; the body goes when it is delivered.
outbox = Table(
    "outbox",
    metadata,
    Column("number", Counted, primary_key=True),
    Column("decision_id", String(36), nullable=False),
    Column("output", String(64), nullable=False),
    Column("kind", String(16), nullable=False),  # send | wait | cancelled
    Column("customer_id", String(255), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),  # waiting | delivered | withdrawn | dead
    Column("attempts", Integer, nullable=False),
    Column("status", String(255), nullable=False),
    Column("since", Instant, nullable=False),
    Column("next_at", Instant, nullable=False),
    Column("claimed_until", Instant),
    Column("settled_at", Instant),
    UniqueConstraint("decision_id", "output", "kind", name="outbox_once"),
    Index("outbox_next", "state", "next_at"),
    Index("outbox_of_customer", "customer_id", "output", "number"),
    sqlite_autoincrement=True,
)
marks = Table(
    "marks",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("value", Text, nullable=False),
)
