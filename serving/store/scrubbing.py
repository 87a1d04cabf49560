"""What was deleted leaves the database's own files, too, as far as the database lets it."""

from __future__ import annotations

import sqlite3
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection

from serving.store.connections import StoreUnavailable

# How long is waited for readers that still look at what the log had before.
READERS_S = 20.0
PAUSE_S = 0.1


def scrub(engine: Engine) -> None:
    """Write the file anew and empty its log (SQLite), or let dead rows go (PostgreSQL).

    A page whose rows were moved keeps their bytes until it is written over, so nothing less will
    do. Writers wait meanwhile: about a second for each 200 MB.
    """
    taken = engine.raw_connection()
    try:
        if engine.dialect.name == "sqlite":
            _scrub_file(taken)
        else:
            driver: Any = taken.driver_connection
            driver.autocommit = True
            try:
                taken.cursor().execute("VACUUM")
            finally:
                driver.autocommit = False
    finally:
        taken.close()


def _scrub_file(taken: PoolProxiedConnection) -> None:
    try:
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
    except sqlite3.OperationalError as fault:
        raise StoreUnavailable(
            f"the store cannot be written anew: {fault}; it takes as much room on the disk again "
            "as the store has. Run `onje erase` again then"
        ) from fault
