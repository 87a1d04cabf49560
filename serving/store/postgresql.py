"""The store on a PostgreSQL server, shared by several machines."""

from __future__ import annotations

from importlib.util import find_spec
from math import ceil
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event

from features.errors import SettingsError

# Connections of one process. Several write at once: rows are locked, not the database.
READERS = 8
WRITERS = 4
OLDEST = 14  # the first version that is known to do


def engines(address: URL, patience_s: float) -> tuple[Engine, Engine]:
    """Reader and writer; no connection is made yet."""
    if find_spec("psycopg") is None:
        raise SettingsError(
            f"the store is at {place_of(address)}, and what speaks to PostgreSQL is not "
            "installed; type: pip install 'onje[postgres]'"
        )
    common: dict[str, Any] = {
        "connect_args": _patient(patience_s, str(address.query.get("options", ""))),
        "pool_timeout": patience_s,
        "max_overflow": 0,
        "pool_use_lifo": True,
        # A connection that a restart of the server has ended is found before it is used.
        "pool_pre_ping": True,
        # A fault's message would hold the values: ids of customers, receipts, in the log.
        "hide_parameters": True,
    }
    # Every statement of a reading transaction sees the moment of its first: with READ COMMITTED
    # each would see its own, and a view could miss a mail that was promised in between.
    reader = create_engine(
        address, pool_size=READERS, isolation_level="REPEATABLE READ", **common
    ).execution_options(postgresql_readonly=True)
    writer = create_engine(address, pool_size=WRITERS, isolation_level="READ COMMITTED", **common)
    for engine in (reader, writer):
        event.listen(engine, "connect", _refuse_what_is_too_old)
    return reader, writer


def place_of(address: URL) -> str:
    """Where the database is, in words that hold no secret."""
    host = address.host or address.query.get("host") or "this machine"
    return f"postgresql://{host}:{address.port or 5432}/{address.database or ''}"


def _patient(patience_s: float, options: str) -> dict[str, Any]:
    patience_ms = max(1, round(patience_s * 1000))
    limits = {
        "lock_timeout": patience_ms,
        "statement_timeout": 2 * patience_ms,  # so that who waits for a lock is told of the lock
        # What a process that was stopped in the middle holds is let go.
        "idle_in_transaction_session_timeout": 60_000,
    }
    return {
        "connect_timeout": max(2, ceil(patience_s)),  # the driver knows whole seconds from two on
        # A server that vanished without a word is found, too.
        "tcp_user_timeout": patience_ms,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "application_name": "onje",
        # What the address says comes after and counts.
        "options": " ".join([*(f"-c {name}={value}" for name, value in limits.items()), options]),
    }


def _refuse_what_is_too_old(connection: Any, _record: Any) -> None:
    found = connection.info.server_version // 10_000
    if found < OLDEST:
        raise SettingsError(
            f"the store is on PostgreSQL {found}; use version {OLDEST} or a newer one"
        )
