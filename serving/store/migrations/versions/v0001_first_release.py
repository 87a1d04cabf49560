"""The tables of the release before migrations; a store that has some of them keeps its rows."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

revision = "0001"
down_revision = None

metadata = MetaData()

Table(
    "histories",
    metadata,
    Column("customer_id", String(255), primary_key=True),
    Column("history", LargeBinary, nullable=False),
)
Table(
    "people",
    metadata,
    Column("customer_id", String(255), primary_key=True),
    Column("person", Text, nullable=False),
)
Table(
    "shelf",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("products", LargeBinary, nullable=False),
)
Table(
    "events",
    metadata,
    Column("number", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("event_id", String(255), nullable=False, unique=True),
    Column("customer_id", String(255), nullable=False, index=True),
    Column("known_at", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("compacted", Integer, index=True),
    sqlite_autoincrement=True,
)
Table(
    "complaints",
    metadata,
    Column("event_id", String(255), primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
)
Table(
    "revisions",
    metadata,
    Column("customer_id", String(255), primary_key=True),
    Column("revision", BigInteger, nullable=False),
)
Table(
    "decisions",
    metadata,
    Column("decision_id", String(36), primary_key=True),
    Column("customer_id", String(255), nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("action", String(8), nullable=False),
    Column("email", String(255)),
    Column("send_at", BigInteger),
    Column("plan", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("receipt", Text, nullable=False),
    Index("decisions_of_customer", "customer_id", "as_of"),
)
Table(
    "exposures",
    metadata,
    Column("decision_id", String(36), primary_key=True),
    Column("experiment", String(255), primary_key=True),
    Column("customer_id", String(255), nullable=False),
    Column("as_of", BigInteger, nullable=False, index=True),
    Column("email", String(255)),
    Column("applies", Text, nullable=False),
    Column("arm", String(64), nullable=False),
    Column("learnt", Text),
)
Table(
    "reservations",
    metadata,
    Column("decision_id", String(36), primary_key=True),
    Column("customer_id", String(255), nullable=False, index=True),
    Column("email", String(255), nullable=False),
    Column("send_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
)
Table(
    "requests",
    metadata,
    Column("request_id", String(255), primary_key=True),
    Column("body_hash", String(64), nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
)
Table(
    "settings_patches",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String(255), nullable=False),
    Column("patch", Text, nullable=False),
    sqlite_autoincrement=True,
)
Table(
    "settings_kept",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("settings", Text, nullable=False),
)
Table(
    "settings_undos",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String(255), nullable=False),
)
Table(
    "marks",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("value", Text, nullable=False),
)


def upgrade() -> None:
    """Lay those that are not there."""
    metadata.create_all(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the newer release")
