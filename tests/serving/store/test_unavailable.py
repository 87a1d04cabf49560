from __future__ import annotations

import socket
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from features.errors import SettingsError
from serving.store import Kept, Store, StoreUnavailable
from serving.store.connections import address_of
from tests import postgres
from tests.serving.store.rows import NOW, event, events, record

PATIENCE_S = 0.2
RECOVERED_S = 10.0


@pytest.fixture
def hasty(url):
    store = Store.open(url, patience_s=PATIENCE_S)
    yield store
    store.close()


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def hasty_file(sqlite_url):
    store = Store.open(sqlite_url, patience_s=PATIENCE_S)
    yield store
    store.close()


@pytest.fixture(scope="module")
def server():
    """A server to stop and start, beside that of the other tests."""
    with postgres.running() as one:
        yield one


@contextmanager
def locked(url):
    """Another process holds what a writer needs, and readers do not."""
    engine = create_engine(address_of(url))
    with engine.connect() as connection:
        if url.startswith("sqlite"):
            connection.connection.driver_connection.isolation_level = None
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text("LOCK TABLE revisions, events IN EXCLUSIVE MODE"))
        yield
        connection.exec_driver_sql("ROLLBACK")
    engine.dispose()


def test_a_store_locked_by_another_process_says_so_in_time_and_recovers(hasty, url):
    with locked(url):
        began = monotonic()
        with pytest.raises(StoreUnavailable, match=r"locked|lock timeout"):
            hasty.record([record("r1", "d1")], at=NOW)
        assert monotonic() - began < 2
        assert hasty.decision("d1") is None  # reading goes on
    hasty.record([record("r1", "d1")], at=NOW)
    assert hasty.decision("d1") is not None


def test_the_message_holds_no_values(hasty, url):
    with locked(url), pytest.raises(StoreUnavailable) as fault:
        hasty.append_events(events(event("secret-id", "secret-customer")))
    assert "secret" not in str(fault.value)


def test_a_full_disk_keeps_nothing_of_a_transaction(hasty_file, settings):
    with hasty_file._connections.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    big = [event(f"e{n}", query="x" * 2000) for n in range(50)]
    with pytest.raises(StoreUnavailable, match="full"):
        hasty_file.append_events(events(*big))
    view = hasty_file.view_of(["ann"], now=NOW, settings=settings)
    assert view.knowledge.history.height == 0


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_is_gone_keeps_nothing_and_says_so(
    hasty_file, sqlite_url, tmp_path, is_replaced
):
    for part in tmp_path.glob("store.db*"):
        part.unlink()
    if is_replaced:
        Store.open(sqlite_url, patience_s=0.2).close()
    with pytest.raises(StoreUnavailable, match="gone or was replaced"):
        hasty_file.append_events(events(event("e1")))
    with pytest.raises(StoreUnavailable, match="restart the service"):
        hasty_file.decision("d1")
    assert Path(sqlite_url.removeprefix("sqlite:///")).exists() is is_replaced


def test_a_file_that_is_moved_away_and_back_is_the_same_and_nothing_is_made_meanwhile(
    hasty_file, sqlite_url, tmp_path
):
    hasty_file.append_events(events(event("e1")))
    file, away = tmp_path / "store.db", tmp_path / "away.db"
    file.rename(away)
    with pytest.raises(StoreUnavailable, match="gone or was replaced"):
        hasty_file.append_events(events(event("e2")))
    # A thread that looked just before the file went opens a connection now.
    hasty_file._connections.reader.dispose()
    with pytest.raises(OperationalError, match="unable to open"):
        hasty_file._connections.reader.connect()
    assert not file.exists() and not hasty_file.is_another()
    away.rename(file)
    hasty_file.append_events(events(event("e2")))
    assert hasty_file.uncompacted(9).numbers == [1, 2]


def test_a_file_in_the_place_of_the_store_is_said_to_be_another(hasty_file, sqlite_url, tmp_path):
    (tmp_path / "store.db").rename(tmp_path / "away.db")
    Store.open(sqlite_url, patience_s=PATIENCE_S).close()
    assert hasty_file.is_another()
    (tmp_path / "away.db").rename(tmp_path / "store.db")
    assert not hasty_file.is_another()


def test_a_store_of_an_odd_name_is_its_owners_alone(tmp_path):
    file = tmp_path / "a home" / "100%? #1" / "store.db"
    store = Store.open(f"sqlite:///{str(file).replace('?', '%3F')}", patience_s=PATIENCE_S)
    found = [one for one in file.parent.parent.rglob("store.db*")]
    modes = {stat.S_IMODE(one.stat().st_mode) for one in found}
    store.close()
    assert (len(found), modes) == (3, {0o600})
    assert stat.S_IMODE(found[0].parent.stat().st_mode) == 0o700


def test_a_file_that_is_no_database_says_so(tmp_path):
    file = tmp_path / "store.db"
    file.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreUnavailable, match="not a database"):
        Store.open(f"sqlite:///{file}", patience_s=0.2)


def test_a_file_that_may_only_be_read_is_read(hasty_file, sqlite_url):
    hasty_file.record([record("r1", "d1")], at=NOW)
    with hasty_file._connections.writing() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")  # as root, no mode forbids anything
    with pytest.raises(StoreUnavailable, match="readonly"):
        hasty_file.record([record("r2", "d2")], at=NOW)
    assert hasty_file.decision("d1") is not None
    assert hasty_file.decision("d2") is None


def test_a_server_that_stops_is_told_of_in_time_and_found_when_it_is_back(server):
    store = Store.open(server.new_database(), patience_s=PATIENCE_S)
    store.record([record("r1", "d1")], at=NOW)
    server.stop()
    for work in (lambda: store.record([record("r2", "d2")], at=NOW), lambda: store.decision("d1")):
        began = monotonic()
        with pytest.raises(StoreUnavailable, match="see that the server runs"):
            work()
        assert monotonic() - began < 3
    server.start()
    began = monotonic()
    found = None
    while found is None and monotonic() - began < RECOVERED_S:
        try:
            found = store.record([record("r2", "d2", "bob")], at=NOW)
        except StoreUnavailable:
            sleep(0.1)
    assert found == [Kept(b"answer of d2")]
    assert store.decision("d1") is not None  # what was acknowledged is there
    store.close()


def test_a_server_that_restarts_between_two_transactions_is_not_noticed(server):
    store = Store.open(server.new_database(), patience_s=PATIENCE_S)
    store.record([record("r1", "d1")], at=NOW)
    server.stop()
    server.start()
    assert store.decision("d1") is not None
    assert store.record([record("r2", "d2", "bob")], at=NOW) == [Kept(b"answer of d2")]
    store.close()


def test_a_connection_that_is_cut_within_a_transaction_leaves_nothing(server):
    store = Store.open(server.new_database(), patience_s=PATIENCE_S)
    with pytest.raises(StoreUnavailable), store._connections.writing() as connection:
        connection.execute(text("INSERT INTO marks (name, value) VALUES ('half', 'done')"))
        server.stop()
        connection.execute(text("INSERT INTO marks (name, value) VALUES ('other', 'half')"))
    server.start()
    with store._connections.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM marks")).scalar_one() == 0
    store.close()


def test_a_server_that_never_answers_is_given_up():
    pytest.importorskip("psycopg", reason="PostgreSQL needs the extra `postgres`")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = monotonic()
        with pytest.raises(StoreUnavailable, match="timeout"):
            Store.open(f"postgresql://onje:geheim@127.0.0.1:{port}/onje", patience_s=PATIENCE_S)
        assert monotonic() - began < 5


def test_a_password_is_in_no_message(server):
    url = f"postgresql://nobody_known:geheim@/store?host={server.url('x').split('host=')[1]}"
    with pytest.raises(StoreUnavailable, match="nobody_known") as told:
        Store.open(url, patience_s=PATIENCE_S)
    assert "geheim" not in str(told.value)


def test_a_long_statement_is_cut_off_unless_nobody_waits_for_it(postgresql):
    store = Store.open(postgresql.new_database(), patience_s=PATIENCE_S)
    slow = text("SELECT pg_sleep(0.5)")
    hurried = pytest.raises(StoreUnavailable, match="statement timeout")
    with hurried, store._connections.reading() as connection:
        connection.execute(slow)
    with store._connections.reading(unhurried=True) as connection:
        connection.execute(slow)
    store.close()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://me:geheim@host/db", "x"]
)
def test_another_kind_of_database_is_refused(url):
    with pytest.raises(SettingsError, match=r"sqlite:////.*postgresql://") as told:
        Store.open(url, patience_s=0.2)
    assert "geheim" not in str(told.value)


WITHOUT = """
import sys
sys.modules["psycopg"] = None
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "psycopg" else found(name, *more)
from features.errors import SettingsError
from serving.store import Store
try:
    Store.open("postgresql://onje:geheim@db.example.com/onje", patience_s=0.2)
except SettingsError as told:
    print(told)
"""


def test_without_the_extra_it_is_said_what_to_type():
    ran = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert "pip install 'onje[postgres]'" in ran.stdout, ran.stderr
    assert "geheim" not in ran.stdout
