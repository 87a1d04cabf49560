"""Keys of callers, and what else the live service keeps.

Until it is released, tables are added here. A store of one's own that was opened in between forgets
that it was brought up to date by `DELETE FROM alembic_version`: nothing is lost, since what is
there is left as it is.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

revision = "0002_live_service"
down_revision = "0001"

metadata = MetaData()
# SQLite gives numbers to this type alone.
Counted = BigInteger().with_variant(Integer(), "sqlite")

Table(
    "keys",
    metadata,
    Column("key_id", String(32), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("scopes", String(255), nullable=False),
    Column("secret_hash", String(64), nullable=False),
    Column("older_hash", String(64)),
    Column("older_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
)
Table(
    "erased",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("again_at", BigInteger),
    Column("swept_at", BigInteger),
)
Table(
    "erased_decisions",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
)
Table(
    "budget_uses",
    metadata,
    Column("period", String(64), primary_key=True),
    Column("begins", String(10), nullable=False, index=True),
    Column("used", Double, nullable=False),
)
Table(
    "deliveries",
    metadata,
    Column("number", Counted, primary_key=True),
    Column("source", String(64), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("claimed_until", BigInteger),
    Column("claims", Integer, nullable=False),
    sqlite_autoincrement=True,
)
Table(
    "dead_letters",
    metadata,
    Column("number", Counted, primary_key=True),
    Column("source", String(64), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("died_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
Table(
    "follow_due",
    metadata,
    Column("customer_id", String(255), primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("cause", String(64), nullable=False),
    Column("why", String(16), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("decided_at", BigInteger),
    Column("claimed_until", BigInteger),
)
Table(
    "outbox",
    metadata,
    Column("number", Counted, primary_key=True),
    Column("decision_id", String(36), nullable=False),
    Column("output", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("customer_id", String(255), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("status", String(255), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("claimed_until", BigInteger),
    Column("settled_at", BigInteger),
    UniqueConstraint("decision_id", "output", "kind", name="outbox_once"),
    Index("outbox_next", "state", "next_at"),
    Index("outbox_of_customer", "customer_id", "output", "number"),
    sqlite_autoincrement=True,
)


def upgrade() -> None:
    """Lay those that are not there."""
    metadata.create_all(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the newer release")
