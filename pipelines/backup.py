"""Everything that an installation cannot do without, in one folder or file; made while it runs."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from polars.exceptions import ComputeError

from features.errors import NotReadyError, SettingsError
from pipelines.console import Step
from pipelines.installation import Installation
from serving.store.schema import NEWEST

MANIFEST = "manifest.json"
# Of ONJE_HOME: what a service needs, and what only `everything` brings along.
NEEDED = ("models", "secret")
ALL_ELSE = ("lake", "artifacts", "rescored", "mlflow.db")
# Locks and what is being written are nobody's to restore.
PASSED_BY = (".lock", ".tmp")
# Whoever names one of these expects what is not made.
OTHER_ARCHIVES = (".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".db", ".sql")


def back_up(
    onje: Installation, target: Path, *, everything: bool, at: datetime, step: Step
) -> dict[str, Any]:
    """Write a backup to `target`, a folder, or a file if its name ends in .tar; returns its facts.

    The store is copied first and as of one moment; events that `onje compact` moves meanwhile
    are in both, which changes nothing. Until it is whole, the backup has another name.
    """
    if target.exists():
        raise SettingsError(f"there is something at {target}; give a new name")
    if target.suffix in OTHER_ARCHIVES:
        raise SettingsError(f"{target} is neither a new folder nor a file ending in .tar")
    folder = target.with_name(f".{target.name}.unfinished-{os.getpid()}")
    packed = folder.with_name(folder.name + ".tar")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        about = _fill(onje, folder, everything=everything, at=at, step=step)
        if target.suffix == ".tar":
            _pack(folder, packed)
            packed.rename(target)
        else:
            folder.rename(target)
    except (OSError, ComputeError) as problem:
        found = problem.strerror if isinstance(problem, OSError) else None
        raise NotReadyError(f"no backup was made at {target}: {found or problem}") from problem
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        packed.unlink(missing_ok=True)
    return {name: value for name, value in about.items() if name not in ("files", "counters")}


def _pack(folder: Path, packed: Path) -> None:
    closed = os.open(packed, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(closed, "wb") as to:
        with tarfile.open(fileobj=to, mode="w") as tar:
            tar.add(folder, arcname=".")
        to.flush()
        os.fsync(to.fileno())


def _fill(
    onje: Installation, folder: Path, *, everything: bool, at: datetime, step: Step
) -> dict[str, Any]:
    home = onje.places.home
    rows = Counter[str]()
    (folder / "store").mkdir()
    with onje.store.copied() as (counters, frames):
        for number, (name, frame) in enumerate(frames):
            frame.write_parquet(folder / "store" / f"{name}-{number:07}.parquet")
            rows[name] += frame.height
            step("rows of the store", rows.total(), rows.total())
    shutil.copyfile(onje.places.settings_file, folder / "onje.toml")
    wanted = NEEDED + (ALL_ELSE if everything else ())
    for number, name in enumerate(wanted):
        _copy(home / name, folder / "home" / name)
        step("files", number + 1, len(wanted))
    about: dict[str, Any] = {
        "onje": version("onje"),
        "at": at.isoformat(),
        "tables": NEWEST,
        "everything": everything,
        "lake_versions": onje.lake.versions(),
        # Where the environment gives the secret, it is the environment's to keep.
        "secret": "in the backup" if (folder / "home" / "secret").exists() else "not in it",
        "rows": dict(rows),
        "counters": counters,
    }
    for one in files_of(folder):
        one.chmod(0o600)  # wherever the folder is copied to
    about["files"] = {str(one.relative_to(folder)): hash_of(one) for one in files_of(folder)}
    manifest = os.open(folder / MANIFEST, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(manifest, "w", encoding="utf-8") as to:
        json.dump(about, to, indent=1)
        to.flush()
        os.fsync(to.fileno())
    return about


def _copy(source: Path, to: Path) -> None:
    """A file or a folder of them, pointers and logs before what they point to."""
    if source.is_symlink():
        to.parent.mkdir(parents=True, exist_ok=True)
        to.symlink_to(source.readlink())
    elif source.is_dir():
        to.mkdir(parents=True)
        # What is there when it is named stays there: so first what names, then what is named.
        for one in sorted(source.iterdir(), key=lambda one: (one.is_dir(), one.name)):
            if one.name == "_delta_log":
                _copy(one, to / one.name)
        for one in sorted(source.iterdir(), key=lambda one: (one.is_dir(), one.name[0] != "_")):
            if one.name != "_delta_log" and one.suffix not in PASSED_BY and one.name[0] != ".":
                _copy(one, to / one.name)
    elif source.suffix == ".db":
        with closing(sqlite3.connect(source)) as there, closing(sqlite3.connect(to)) as copied:
            there.backup(copied)  # as of one moment, whoever writes meanwhile
    elif source.exists():
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, to)


def files_of(folder: Path) -> Iterator[Path]:
    return (one for one in sorted(folder.rglob("*")) if one.is_file() and not one.is_symlink())


def hash_of(file: Path) -> str:
    digest = sha256()
    with file.open("rb") as read:
        while block := read.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
