"""What was deleted leaves the database's own files, too, as far as the database lets it."""

from __future__ import annotations

from time import monotonic, sleep
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection
from sqlalchemy.exc import SQLAlchemyError

from serving.store.connections import StoreUnavailable

# How long is waited for readers that still look at what the log had before.
READERS_S = 20.0
PAUSE_S = 0.1


def scrub(engine: Engine) -> None:
    """Write the file anew and empty its log (SQLite), or let dead rows go (PostgreSQL).

    A page whose rows were moved keeps their bytes until it is written over, so nothing less will
    do. Writers wait meanwhile: about a second for each 200 MB.
    """
    driver_faults: Any = engine.dialect.loaded_dbapi.Error
    is_file = engine.dialect.name == "sqlite"
    try:
        taken = engine.raw_connection()
        try:
            (_scrub_file if is_file else _scrub_tables)(taken)
        except driver_faults:
            taken.invalidate()  # nobody knows what was set on it
            raise
        finally:
            taken.close()
    except (driver_faults, SQLAlchemyError) as fault:
        room = "it takes as much room on the disk again as the store has. " if is_file else ""
        raise StoreUnavailable(
            f"the store cannot be written anew: {' '.join(str(fault).split())}; {room}Run "
            "`onje erase` again then"
        ) from fault


def _scrub_tables(taken: PoolProxiedConnection) -> None:
    driver: Any = taken.driver_connection
    driver.autocommit = True
    cursor = taken.cursor()
    cursor.execute("SET statement_timeout = 0")  # it takes as long as the store is large
    cursor.execute("VACUUM")
    cursor.execute("RESET statement_timeout")
    driver.autocommit = False


def _scrub_file(taken: PoolProxiedConnection) -> None:
    cursor = taken.cursor()
    cursor.execute("VACUUM")
    until = monotonic() + READERS_S
    while cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if monotonic() > until:
            raise StoreUnavailable(
                "somebody reads the store without an end, so its log cannot be emptied; "
                "end what reads it and run `onje erase` again"
            )
        sleep(PAUSE_S)
