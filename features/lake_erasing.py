"""Erasing customers from a table of the lake: from every version, and from its log."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable, write_deltalake
from filelock import FileLock

from features.errors import NotReadyError

# Given the rows of one file, unread: which of them are to go. Columns are those of the table.
IsGone = Callable[[pl.LazyFrame], pl.Series]

LOG = "_delta_log"
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2), RENAME_SWAP of renamex_np(2)
_HERE = -100  # AT_FDCWD


@dataclass(frozen=True)
class Erased:
    """How many rows went, counted in each file that held them, and out of how many files."""

    rows: int
    files: int


def erase_rows(root: Path, table: str, is_gone: IsGone) -> Erased:
    """Let no version of the table hold a row that is gone, nor its log a figure of one.

    Delta's own delete and vacuum would take all older versions with it, and with them the replay
    of everybody else's decisions. So the table is made again beside itself: files that hold
    nobody who is gone are linked, the others written without them under their own names, and each
    entry of the log that names one says its new size and statistics. Then the two change places
    at once. A kill leaves the one or the other, whole, and running again finishes; readers find
    each file at its path all the time.
    """
    place, beside = root / table, root / f".{table}.erasing"
    if not place.exists():
        return Erased(0, 0)
    with FileLock(f"{place}.lock"):
        shutil.rmtree(beside, ignore_errors=True)
        held = {path: gone for path in _files_of(place) if (gone := _gone_in(path, place, is_gone))}
        if not held:
            return Erased(0, 0)
        _make(place, beside, held, is_gone)
        os.sync()  # what comes in its place must be on the disk before it goes
        _change_places(place, beside)
        os.sync()
        shutil.rmtree(beside)
    return Erased(sum(held.values()), len(held))


def _files_of(place: Path) -> list[Path]:
    """Every file of rows, be it of the newest version, an older one or none at all."""
    found = (path.relative_to(place) for path in place.rglob("*.parquet"))
    return sorted(path for path in found if path.parts[0] != LOG)


def _gone_in(file: Path, place: Path, is_gone: IsGone) -> int:
    return int(is_gone(_rows_of(place / file)).sum())


def _rows_of(file: Path) -> pl.LazyFrame:
    """As the file has them: the bucket is said by its folder alone."""
    return pl.scan_parquet(file, hive_partitioning=False)


def _make(place: Path, beside: Path, held: Iterable[Path], is_gone: IsGone) -> None:
    """The table without those who are gone, beside it."""
    for path in place.rglob("*"):
        if path.is_file() and path.relative_to(place).parts[0] != LOG:
            copy = beside / path.relative_to(place)
            copy.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, copy)
    said = {file.as_posix(): _written_anew(file, place, beside, is_gone) for file in held}
    log, old_log = beside / LOG, place / LOG
    log.mkdir(parents=True, exist_ok=True)
    commits = sorted(old_log.glob("*.json"))
    if not commits or int(commits[0].stem) != 0:
        raise NotReadyError(
            f"the log of {place.name} in the lake does not begin with its first version, so its "
            "older versions cannot be written anew; load the table into a new lake with "
            "`onje ingest`, then erase again"
        )
    for commit in commits:
        lines = [_entry(line, said) for line in commit.read_text("utf-8").splitlines() if line]
        _write_whole(log / commit.name, "".join(f"{line}\n" for line in lines if line))
    # Shortcuts through the log, which the log itself can give again.
    if list(old_log.glob("*.checkpoint*.parquet")):
        DeltaTable(str(beside)).create_checkpoint()


def _written_anew(file: Path, place: Path, beside: Path, is_gone: IsGone) -> dict[str, Any] | None:
    """The file without those who are gone; what the log says of it, None where nothing is left."""
    rows = _rows_of(place / file)
    kept = rows.collect().filter(~is_gone(rows))
    copy = beside / file
    copy.unlink()  # the link: the file itself stays as it is until all is done
    if kept.is_empty():
        return None
    apart = beside / ".apart"
    # Written by Delta itself, so that size and statistics are what it would have said.
    write_deltalake(str(apart), kept)
    [added] = (
        entry["add"]
        for line in (apart / LOG / f"{0:020d}.json").read_text("utf-8").splitlines()
        if "add" in (entry := json.loads(line))
    )
    (apart / unquote(added["path"])).rename(copy)
    shutil.rmtree(apart)
    return {"size": added["size"], "stats": added.get("stats")}


def _entry(line: str, said: dict[str, dict[str, Any] | None]) -> str:
    """One entry of the log as it says it now; empty where its file is gone altogether."""
    entry = json.loads(line)
    [(action, told)] = entry.items()
    if action == "commitInfo":
        # May name ids of rows that were merged.
        told.get("operationParameters", {}).pop("predicate", None)
        return json.dumps(entry)
    file = unquote(told.get("path", ""))
    if action not in ("add", "remove", "cdc") or file not in said:
        return line
    now = said[file]
    if now is None:
        return ""
    if "size" in told:
        told["size"] = now["size"]
    if "stats" in told:
        told["stats"] = now["stats"]
    return json.dumps(entry)


def _write_whole(file: Path, text: str) -> None:
    with file.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())


def _change_places(one: Path, other: Path) -> None:
    """Exchange two folders in one step, so that there is one of this name at any time."""
    library = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(one), os.fsencode(other))
    if sys.platform == "darwin":
        failed = library.renamex_np(*names, _EXCHANGE)
    else:
        failed = library.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE)
    if failed:
        code = ctypes.get_errno()
        hint = "; its disk cannot exchange folders, move ONJE_HOME to one that can" * (
            code in (errno.EINVAL, errno.ENOSYS)
        )
        raise NotReadyError(f"{one} cannot be written anew: {os.strerror(code)}{hint}")
