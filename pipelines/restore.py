"""An installation brought back from a backup; whatever was there is put aside, not thrown away."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from features.errors import DamagedError, NotReadyError
from pipelines.backup import MANIFEST, files_of, hash_of
from pipelines.console import Step
from pipelines.places import Places
from serving.store import restoring


def restore(
    source: Path, at: Places, *, replace: bool, now: datetime, step: Step
) -> dict[str, Any]:
    """Bring back the backup at `source` into ONJE_HOME and the store's database.

    Every file is compared with its SHA-256 first. A home or a store that is there is refused, or
    with `replace` put aside under a name that says when. Raises DamagedError, NotReadyError.
    """
    with _unpacked(source) as folder:
        about = _checked(folder, step)
        stamp = f"before-restore-{now:%Y%m%dT%H%M%SZ}"
        is_there = at.home.exists() and any(at.home.iterdir())
        holds_rows = not restoring.is_free(at.store_url)
        if (is_there or holds_rows) and not replace:
            there = f"{at.home} is not empty" if is_there else "the store holds rows"
            raise NotReadyError(f"{there}; give another ONJE_HOME, or --replace to put it aside")
        new = at.home.with_name(f".{at.home.name}.restoring-{os.getpid()}")
        try:
            _lay(folder, new)
            kept = _put_aside(at, stamp, is_there=is_there, holds_rows=holds_rows)
            at.home.parent.mkdir(parents=True, exist_ok=True)
            if at.home.exists():
                at.home.rmdir()  # it is empty
            new.rename(at.home)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        rows = restoring.fill(
            at.store_url, about["tables"], _frames(folder, step), about["counters"]
        )
    if rows != about["rows"]:
        raise DamagedError(f"the store has {rows}, the backup said {about['rows']}")
    return {"of": about["at"], "rows": sum(rows.values()), "put_aside": kept}


@contextmanager
def _unpacked(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield source
        return
    if not source.is_file():
        raise NotReadyError(f"no backup at {source}")
    with TemporaryDirectory(prefix="onje-restore-") as folder:
        try:
            with tarfile.open(source) as tar:
                tar.extractall(folder, filter="data")
        except tarfile.TarError as problem:
            raise DamagedError(f"{source} cannot be unpacked: {problem}") from problem
        yield Path(folder)


def _checked(folder: Path, step: Step) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        said: dict[str, str] = about["files"]
    except (OSError, ValueError, KeyError) as problem:
        raise DamagedError(f"{folder} is no backup: its {MANIFEST} cannot be read") from problem
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
            f"the backup at {folder} is damaged, nothing was restored: {'; '.join(problems[:5])}"
        )
    return about


def _lay(folder: Path, new: Path) -> None:
    new.mkdir(parents=True, mode=0o700)
    if (folder / "home").exists():
        shutil.copytree(folder / "home", new, symlinks=True, dirs_exist_ok=True)
    shutil.copyfile(folder / "onje.toml", new / "onje.toml")
    if (new / "secret").exists():
        (new / "secret").chmod(0o600)


def _put_aside(at: Places, stamp: str, *, is_there: bool, holds_rows: bool) -> list[str]:
    """Where what was there is now; the store first, as it may lie in the home."""
    kept = []
    if holds_rows:
        kept.append(restoring.put_aside(at.store_url, stamp, home=at.home))
    if is_there:
        aside = at.home.with_name(f"{at.home.name}.{stamp}")
        at.home.rename(aside)
        kept.append(str(aside))
    return [one for one in kept if one]


def _frames(folder: Path, step: Step) -> Iterator[tuple[str, pl.DataFrame]]:
    files = sorted((folder / "store").iterdir(), key=lambda one: one.stem.rpartition("-")[2])
    for number, file in enumerate(files):
        yield file.stem.rpartition("-")[0], pl.read_parquet(file)
        step("rows into the store", number + 1, len(files))
