"""MLflow's own database of an installation: whole before it has its name, one maker at a time.

MLflow makes its tables in some fifty steps, each of which stays when the process dies, and begins
with the first again the next time: a database of which it made half is never made whole by it.
"""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from features.errors import DamagedError

# Under this name, beside the database, the next one is made.
UNFINISHED = ".mlflow.db.unfinished"


def make_whole(file: Path) -> None:
    """See to it that `file` holds all tables of this release of MLflow.

    Who comes while another makes it waits. An older one is brought up to date as a copy that then
    takes its place. DamagedError, and the file stays as it was, where that cannot be done.
    """
    if _is_whole(file):
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):
        if not _is_whole(file):
            unfinished = file.with_name(UNFINISHED)
            _remove(unfinished)
            try:
                _bring_up_to_date(file, unfinished)
                unfinished.replace(file)
            finally:
                _remove(unfinished)


def fault_of(file: Path) -> str | None:
    """What is wrong with the database at `file`, and what to type; None: nothing, or none there.

    Changes nothing: whether one of an earlier release can be brought up to date is tried on a copy.
    """
    if not file.exists():
        return None
    try:
        with closing(_opened(file)) as database:
            said = [str(row[0]) for row in database.execute("PRAGMA quick_check(1)")]
        if said != ["ok"]:
            return _cannot_be_read(file, "; ".join(said))
        if not _is_whole(file):
            with TemporaryDirectory(prefix="onje-") as scratch:
                _bring_up_to_date(file, Path(scratch) / UNFINISHED)
    except sqlite3.Error as problem:
        return _cannot_be_read(file, problem)
    except DamagedError as problem:
        return str(problem)
    return None


def _is_whole(file: Path) -> bool:
    if not file.exists():
        return False
    try:
        with closing(_opened(file)) as database:
            return _revision(database) == _newest_revision()
    except sqlite3.Error as problem:
        raise DamagedError(_cannot_be_read(file, problem)) from problem


def _revision(database: sqlite3.Connection) -> str | None:
    """How far MLflow came when it made the tables; None: it did not come far enough to say."""
    tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
    if "alembic_version" not in tables:
        return None
    found = database.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if found is None else str(found[0])


@lru_cache(maxsize=1)
def _newest_revision() -> str:
    # MLflow has no public word for it.
    from mlflow.store.db.utils import _get_latest_schema_revision

    return str(_get_latest_schema_revision())  # type: ignore[no-untyped-call]


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)


def _bring_up_to_date(file: Path, copy: Path) -> None:
    """`copy` becomes `file` (or what is empty, where there is none) with what it lacks of tables.

    What `mlflow db upgrade` does.
    """
    from alembic.util import CommandError
    from mlflow.db import upgrade
    from sqlalchemy.exc import SQLAlchemyError

    if file.exists():
        with closing(_opened(file)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of steps that nobody here can do anything about
            upgrade.main([f"sqlite:///{copy.resolve()}"], standalone_mode=False)
    except SQLAlchemyError as problem:
        raise DamagedError(
            f"MLflow's database {file} is half made, and MLflow cannot go on with it; {_do(file)}"
        ) from problem
    except CommandError as problem:
        raise DamagedError(
            f"MLflow's database {file} is of a newer release of MLflow than the one installed "
            f"({problem}); install that one"
        ) from problem


def _remove(file: Path) -> None:
    for ending in ("", "-journal"):
        file.with_name(file.name + ending).unlink(missing_ok=True)


def _cannot_be_read(file: Path, why: object) -> str:
    return f"MLflow's database {file} cannot be read ({why}); {_do(file)}"


def _do(file: Path) -> str:
    return (
        f"put a copy of it back, or type `mv {file} {file}.broken && onje train all --promote`; "
        "the champions on this machine keep serving, but the record of earlier versions is lost"
    )
