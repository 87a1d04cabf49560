from __future__ import annotations

import sqlite3
from pathlib import Path
from time import monotonic

import pytest

from features.errors import SettingsError
from serving.store import Store, StoreUnavailable
from tests.serving.store.rows import NOW, event, events, record


@pytest.fixture
def hasty(url):
    store = Store.open(url, patience_s=0.2)
    yield store
    store.close()


def test_a_store_locked_by_another_process_says_so_in_time_and_recovers(hasty, url, view):
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = monotonic()
    with pytest.raises(StoreUnavailable, match="locked"):
        hasty.record([record("r1", "d1")], at=NOW)
    assert monotonic() - began < 2
    assert hasty.decision("d1") is None  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    hasty.record([record("r1", "d1")], at=NOW)
    assert hasty.decision("d1") is not None


def test_a_full_disk_keeps_nothing_of_a_transaction(hasty, url, view):
    with hasty._connections.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    big = [event(f"e{n}", query="x" * 2000) for n in range(50)]
    with pytest.raises(StoreUnavailable, match="full"):
        hasty.append_events(events(*big))
    assert view("ann").knowledge.history.height == 0


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_is_gone_keeps_nothing_and_says_so(hasty, url, tmp_path, is_replaced):
    for part in tmp_path.glob("store.db*"):
        part.unlink()
    if is_replaced:
        Store.open(url, patience_s=0.2).close()
    with pytest.raises(StoreUnavailable, match="gone or was replaced"):
        hasty.append_events(events(event("e1")))
    with pytest.raises(StoreUnavailable, match="restart the service"):
        hasty.decision("d1")
    assert Path(url.removeprefix("sqlite:///")).exists() is is_replaced


def test_a_file_that_is_no_database_says_so(tmp_path):
    file = tmp_path / "store.db"
    file.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreUnavailable, match="not a database"):
        Store.open(f"sqlite:///{file}", patience_s=0.2)


def test_the_message_holds_no_values(hasty, url):
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable) as fault:
        hasty.append_events(events(event("secret-id", "secret-customer")))
    other.close()
    assert "secret" not in str(fault.value)


@pytest.mark.parametrize("url", ["sqlite://", "mysql://host/db"])
def test_another_kind_of_database_is_refused(url):
    with pytest.raises(SettingsError, match="sqlite:////"):
        Store.open(url, patience_s=0.2)
