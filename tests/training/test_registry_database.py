"""MLflow's own database: made whole or not at all, whoever is killed and whoever comes at once."""

from __future__ import annotations

import signal
import sqlite3
import time
from contextlib import closing
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from features.errors import DamagedError
from training.registry import DATABASE, Registry
from training.registry_database import UNFINISHED, fault_of

# The step of MLflow's before the one that makes the table model_version_tags.
BEFORE_TAGS = "728d730b5ebd"
# Processes of their own, forked from one that has met MLflow already: each would need seconds to.
PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["mlflow.db", "mlflow.store.tracking.sqlalchemy_store", "training.registry"]
)


def answer(home: Path, told: Connection) -> None:
    told.send(Registry(home, None).versions("churn"))


def asking(home: Path) -> tuple[BaseProcess, Connection]:
    """A process of its own that asks the registry of `home`, which makes it if there is none."""
    told, tells = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=answer, args=(home, tells))
    process.start()
    tells.close()
    return process, told


def tables(file: Path) -> int:
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=0.05)) as there:
            found: int = there.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            return found
    except sqlite3.Error:
        return 0


def seen(home: Path) -> int:
    return max(tables(home / name) for name in (DATABASE, UNFINISHED))


def made_until(revision: str, home: Path) -> Path:
    """A database of which MLflow says that it came as far as `revision`, with a table of later."""
    file = home / DATABASE
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES (?)", [revision])
        database.execute("CREATE TABLE model_version_tags (name TEXT)")
    return file


def test_after_a_kill_while_the_database_is_made_two_who_come_at_once_both_find_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "MLFLOW_DISABLE_TELEMETRY", "true"
    )  # as the registry does, before the import
    killed, _ = asking(tmp_path)
    while killed.is_alive() and seen(tmp_path) < 8:
        time.sleep(0.005)
    killed.kill()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL, "it was done before it could be killed"
    assert not (tmp_path / DATABASE).exists()
    both = [asking(tmp_path), asking(tmp_path)]
    assert [told.recv() for _, told in both] == [[], []]
    for process, _ in both:
        process.join()
        assert process.exitcode == 0
    assert fault_of(tmp_path / DATABASE) is None
    assert {file.name for file in tmp_path.iterdir()} == {DATABASE, f"{DATABASE}.lock"}


def test_a_half_made_database_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    file = made_until(BEFORE_TAGS, tmp_path)
    before = file.read_bytes()
    with pytest.raises(DamagedError, match=r"half made.*mv .*mlflow\.db .*\.broken"):
        Registry(tmp_path, None).versions("churn")
    assert "half made" in (fault_of(file) or "")
    assert file.read_bytes() == before
    assert not (tmp_path / UNFINISHED).exists()


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    file = tmp_path / DATABASE
    file.write_bytes(b"once a database" * 100)
    with pytest.raises(DamagedError, match="cannot be read"):
        Registry(tmp_path, None).versions("churn")
    assert "cannot be read" in (fault_of(file) or "")
    assert fault_of(tmp_path / "none.db") is None


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    made_until("ffffffffffff", tmp_path)
    with pytest.raises(DamagedError, match="newer release of MLflow"):
        Registry(tmp_path, None).versions("churn")
