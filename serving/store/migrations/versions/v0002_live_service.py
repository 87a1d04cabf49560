"""Keys of callers, and what else the live service keeps.

Until it is released, tables are added here. A store of one's own that was opened in between forgets
that it was brought up to date by `DELETE FROM alembic_version`: nothing is lost, since what is
there is left as it is.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, MetaData, String, Table

revision = "0002_live_service"
down_revision = "0001"

metadata = MetaData()

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


def upgrade() -> None:
    """Lay those that are not there."""
    metadata.create_all(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    raise NotImplementedError("restore the backup that was made before the newer release")
