"""An installation brought back from a backup; whatever was there is put aside, not thrown away."""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from filelock import FileLock, Timeout
from polars.exceptions import ComputeError

from features.errors import DamagedError, NotReadyError
from pipelines.backup import MANIFEST, files_of, hash_of
from pipelines.console import Step
from pipelines.places import Places
from serving.store import StoreUnavailable, restoring
from serving.store.copying import Backup

# What is laid beside its place, as messages of a database call it.
UNDER_ANOTHER_NAME = re.compile(r"\.([^/]+)\.restoring-\d+")


def restore(
    source: Path, at: Places, *, replace: bool, now: datetime, step: Step
) -> dict[str, Any]:
    """Bring back the backup at `source` into ONJE_HOME and the store's database.

    Every file is compared with its SHA-256 first. A home or a store that is there is refused, or
    with `replace` put aside under a name that says when. All is laid and filled under another name
    before anything changes place: where that fails, what was there is where it was. Raises
    DamagedError, NotReadyError.
    """
    with _alone(at.home), _told(source, at.home), _unpacked(source, at.home) as folder:
        about = _checked(folder, source, step)
        stamp = f"before-restore-{now:%Y%m%dT%H%M%SZ}"
        is_there = at.home.exists() and any(at.home.iterdir())
        holds_rows = not restoring.is_free(at.store_url)
        if (is_there or holds_rows) and not replace:
            there = f"{at.home} is not empty" if is_there else "the store holds rows"
            raise NotReadyError(f"{there}; give another ONJE_HOME, or --replace to put it aside")
        new = at.home.with_name(f".{at.home.name}.restoring-{os.getpid()}")
        aside = at.home.with_name(f"{at.home.name}.{stamp}")
        if aside.exists():
            raise NotReadyError(f"there is something at {aside}; try again in a second")
        backup = Backup(
            about["tables"], _frames(folder, step), about["counters"], rows=about["rows"]
        )
        try:
            _lay(folder, new)
            with ExitStack() as going_back:
                with restoring.replaced(
                    at.store_url, backup, stamp=stamp, home=at.home, new_home=new
                ) as kept:
                    _swap(new, at.home, aside)
                    going_back.callback(_swap_back, new, at.home, aside)
                going_back.pop_all()
        finally:
            shutil.rmtree(new, ignore_errors=True)
    if is_there:
        kept.append(str(aside))
    elif aside.exists():
        aside.rmdir()  # it is empty
    return {"of": about["at"], "rows": sum(about["rows"].values()), "put_aside": kept}


def _swap(new: Path, home: Path, aside: Path) -> None:
    """Put `new` in the place of `home`, which goes aside; both or neither."""
    if home.exists():
        home.rename(aside)
    try:
        new.rename(home)
    except OSError:
        if aside.exists():
            aside.rename(home)
        raise


def _swap_back(new: Path, home: Path, aside: Path) -> None:
    home.rename(new)
    if aside.exists():
        aside.rename(home)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Two at once would mix two installations: the second is told."""
    home.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home.with_name(f".{home.name}.restore.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout as held:
        raise NotReadyError(
            f"another onje restore is at work on {home}; wait until it has ended"
        ) from held
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _told(source: Path, home: Path) -> Iterator[None]:
    """What the disk or the database refuses, in one line."""
    try:
        yield
    except (OSError, ComputeError, StoreUnavailable) as problem:
        found = (isinstance(problem, OSError) and problem.strerror) or str(problem)
        raise NotReadyError(
            f"{source} was not restored, and what was at {home} and in the store is as it was: "
            + UNDER_ANOTHER_NAME.sub(r"\1", found)
        ) from problem


@contextmanager
def _unpacked(source: Path, home: Path) -> Iterator[Path]:
    if source.is_dir():
        yield source
        return
    if not source.is_file():
        raise NotReadyError(f"no backup at {source}: there is no such file or folder")
    # Beside the home, where there is to be room for it.
    with TemporaryDirectory(prefix=f".{home.name}.unpacked-", dir=home.parent) as folder:
        try:
            with tarfile.open(source) as tar:
                tar.extractall(folder, filter="data")
        except (tarfile.TarError, EOFError) as problem:
            raise DamagedError(f"{source} cannot be unpacked: {problem}") from problem
        yield Path(folder)


def _checked(folder: Path, source: Path, step: Step) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        said: dict[str, str] = about["files"]
    except (OSError, ValueError, KeyError) as problem:
        raise DamagedError(f"{source} is no backup: its {MANIFEST} cannot be read") from problem
    there = {str(one.relative_to(folder)): one for one in files_of(folder)}
    there.pop(MANIFEST, None)
    problems = [f"{name} is missing" for name in said.keys() - there.keys()]
    problems += [f"{name} is not of this backup" for name in there.keys() - said.keys()]
    for number, name in enumerate(sorted(said.keys() & there.keys())):
        if hash_of(there[name]) != said[name]:
            problems.append(f"{name} has changed")
        step("files compared", number + 1, len(said))
    if problems:
        raise DamagedError(
            f"the backup at {source} is damaged, nothing was restored: {'; '.join(problems[:5])}"
        )
    return about


def _lay(folder: Path, new: Path) -> None:
    new.mkdir(parents=True, mode=0o700)
    if (folder / "home").exists():
        shutil.copytree(folder / "home", new, symlinks=True, dirs_exist_ok=True)
    new.chmod(0o700)  # not that of the copy
    shutil.copyfile(folder / "onje.toml", new / "onje.toml")
    if (new / "secret").exists():
        (new / "secret").chmod(0o600)


def _frames(folder: Path, step: Step) -> Iterator[tuple[str, pl.DataFrame]]:
    files = sorted((folder / "store").iterdir(), key=lambda one: one.stem.rpartition("-")[2])
    for number, file in enumerate(files):
        yield file.stem.rpartition("-")[0], pl.read_parquet(file)
        step("rows into the store", number + 1, len(files))
