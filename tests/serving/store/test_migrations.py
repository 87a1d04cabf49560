"""A store of any release is brought up to this one's tables; no row is lost, nobody does it twice.

`store_of_0001.sql` was written by the release before migrations.
"""

from __future__ import annotations

import logging
import multiprocessing
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, func, inspect, select, text

from features.errors import SettingsError
from serving.store import Kept, Store
from serving.store.connections import address_of
from serving.store.schema import MIGRATIONS, NEWEST, REVISIONS, migrate
from serving.store.tables import metadata
from tests.serving.store.rows import NOW, event, events, record

PROCESSES = 4


@pytest.fixture
def engine(url):
    engine = create_engine(address_of(url))
    yield engine
    engine.dispose()


@pytest.fixture
def old_file(tmp_path):
    file = tmp_path / "old" / "store.db"
    file.parent.mkdir()
    written = sqlite3.connect(file)
    written.executescript(Path(__file__).with_name("store_of_0001.sql").read_text("utf-8"))
    written.close()
    return file


def counts(engine):
    found = MetaData()
    with engine.connect() as connection:
        found.reflect(connection)
        return {
            name: connection.scalar(select(func.count()).select_from(table))
            for name, table in found.tables.items()
        }


def test_a_store_of_the_release_before_keeps_every_row_and_goes_on(old_file, settings):
    url = f"sqlite:///{old_file}"
    engine = create_engine(url)
    before = counts(engine)
    store = Store.open(url, patience_s=5.0)
    after = counts(engine)
    engine.dispose()
    assert {name: after[name] for name in before} == before
    assert before.keys() < after.keys()
    assert store.decision("d3").state == "issued"
    assert store.remembered({"r1": "hash"}) == {"r1": Kept(b"answer of d1")}
    assert store.uncompacted(9).events["event_id"].to_list() == ["e2", "e3"]
    view = store.view_of(["ann"], now=NOW, settings=settings)
    assert view.knowledge.history["event_id"].to_list() == ["h1", "e1", "e3"]
    assert view.knowledge.mail["decision_id"].to_list() == ["d3"]
    more = record("r9", "d9", as_of=NOW + timedelta(hours=1), revision=view.revisions["ann"])
    assert store.record([more], at=NOW) == [Kept(b"answer of d9")]
    store.append_events(events(event("e4")))
    assert store.last_compaction() == 1
    store.close()


def test_migrating_leads_to_the_tables_that_a_new_store_has(engine):
    with engine.begin() as connection:
        migrate(connection, NEWEST)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == NEWEST


def test_a_new_store_is_known_as_of_this_release(store, engine):
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == NEWEST
        # As alembic itself lays it, so that its own commands work on either.
        assert inspect(connection).get_pk_constraint("alembic_version")["name"] in (
            "alembic_version_pkc",
            None,  # as SQLite tells it
        )


def test_rows_of_an_older_release_stay_on_either_database(url, engine):
    with engine.begin() as connection:
        migrate(connection, REVISIONS[0])
        connection.execute(text("INSERT INTO marks (name, value) VALUES ('compaction', '7')"))
        connection.execute(
            text(
                "INSERT INTO events (event_id, customer_id, known_at, event)"
                " VALUES ('e1', 'ann', 0, '{}')"
            )
        )
    store = Store.open(url, patience_s=5.0)
    assert store.last_compaction() == 7
    assert len(store.uncompacted(9).numbers) == 1
    store.close()


def test_a_store_of_a_newer_release_is_refused_and_left_alone(store, url, engine):
    store.close()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0099_mars'"))
    with pytest.raises(SettingsError, match=r"newer release.*'0099_mars'.*install that release"):
        Store.open(url, patience_s=5.0)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "0099_mars"


def _open(url, start, told):
    start.wait(30)
    try:
        store = Store.open(url, patience_s=0.2)
        told.put((store.add_patch({"a": 1}, who="me", at=NOW), None))
        store.close()
    except Exception as problem:
        told.put((None, repr(problem)))


@pytest.mark.parametrize("is_old", [False, True])
def test_processes_that_start_at_once_migrate_once(url, engine, is_old):
    if is_old:
        with engine.begin() as connection:
            migrate(connection, REVISIONS[0])
    context = multiprocessing.get_context("spawn")
    start, told = context.Barrier(PROCESSES), context.Queue()
    workers = [context.Process(target=_open, args=(url, start, told)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    answers = [told.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(30)
    assert sorted(answers) == [(number, None) for number in range(1, PROCESSES + 1)]
    assert counts(engine)["alembic_version"] == 1


def test_the_list_of_revisions_is_that_of_the_files():
    found = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    assert tuple(one.revision for one in reversed(list(found))) == REVISIONS


def test_migrating_leaves_the_log_as_it_is(old_file):
    before = (logging.root.level, list(logging.root.handlers), logging.getLogger("onje").disabled)
    Store.open(f"sqlite:///{old_file}", patience_s=5.0).close()
    log = logging.getLogger("onje")
    assert (logging.root.level, list(logging.root.handlers), log.disabled) == before


OPENED = """
import sys
from serving.store import Store
Store.open(sys.argv[1], patience_s=5.0).close()
print("alembic" in sys.modules)
"""


def test_a_store_that_is_up_to_date_is_opened_without_alembic(url):
    for _ in range(2):  # new, then there
        ran = subprocess.run(
            [sys.executable, "-c", OPENED, url], capture_output=True, text=True, check=True
        )
        assert ran.stdout.strip() == "False"
