"""What tables a store has, as of which release, and bringing older ones up to date."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from features.errors import SettingsError
from serving.store import exposures
from serving.store.locks import Lock, hold
from serving.store.tables import decisions, metadata

MIGRATIONS = Path(__file__).parent / "migrations"
# The files under migrations/versions in their order; said here, too, so that a store that is up to
# date is opened without loading what migrates.
REVISIONS = ("0001", "0002_live_service")
NEWEST = REVISIONS[-1]

# As alembic lays it.
version_table = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), primary_key=True),
)
version_table.primary_key.name = "alembic_version_pkc"

Transaction = AbstractContextManager[Connection]


def is_up_to_date(connection: Connection) -> bool:
    """Whether the store has the tables of this release; SettingsError where of a newer one."""
    found = version_of(connection)
    if found is not None and found not in REVISIONS:
        raise SettingsError(
            f"the store was made by a newer release of Onje (its tables are {found!r}, this "
            f"release knows up to {NEWEST!r}); install that release, or restore a backup that "
            "this one made"
        )
    return found == NEWEST


def version_of(connection: Connection) -> str | None:
    """The revision of the tables; None for an empty database and for the first release's."""
    if not inspect(connection).has_table(version_table.name):
        return None
    version: str | None = connection.scalar(select(version_table.c.version_num))
    return version


def bring_up_to_date(writing: Callable[[], Transaction]) -> None:
    """Lay the tables of this release, or bring those of an older one up to them, losing no row.

    One transaction, alone: of several processes that start at once, one does it.
    """
    with writing() as connection:
        hold(connection, Lock.SCHEMA)
        if is_up_to_date(connection):
            return
        if version_of(connection) is None and not inspect(connection).has_table(decisions.name):
            metadata.create_all(connection)
            version_table.create(connection, checkfirst=True)
            connection.execute(version_table.insert().values(version_num=NEWEST))
            return
        are_unread = exposures.are_unread(connection)
        migrate(connection, NEWEST)
        if are_unread:
            exposures.note_all(connection)


def migrate(connection: Connection, revision: str) -> None:
    """Run the migrations up to `revision` within this transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
