"""R5: the output of a night killed, or out of room, at any moment: whole old or whole new."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
FILES = ("decisions.parquet", "scores.parquet")
# One night after the other, as `onje rescore` writes them; every one has bytes of its own.
NIGHTS = """
import os, resource, signal, sys
from pathlib import Path
import polars as pl
from features.errors import NotReadyError
from pipelines.rescore import LATEST, _point, _written

out, first, nights, most_bytes = Path(sys.argv[1]), *map(int, sys.argv[2:])
if most_bytes:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
print("begins", flush=True)
for night in range(first, first + nights):
    rows = pl.DataFrame({"night": [night] * 50_000, "row": range(50_000)})
    try:
        folder = _written(rows, rows.reverse(), out / f".{night}.{os.getpid()}", out / str(night))
    except NotReadyError as told:
        sys.exit(str(told))
    _point(out / LATEST, str(night))
"""


def started(out, first, nights, *, most_bytes=0):
    words = [out, first, nights, most_bytes]
    process = subprocess.Popen(
        [sys.executable, "-c", NIGHTS, *map(str, words)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == b"begins\n"
    return process


def ended(process):
    """How it ended, its pipes closed."""
    process.communicate()
    return process.returncode


def night_there(out):
    """The number of the night that a reader finds, both of its files whole and of that night."""
    folder = (out / "latest").resolve()
    decisions, scores = (pl.read_parquet(folder / name) for name in FILES)
    assert decisions.height == scores.height == 50_000
    assert set(decisions["night"]) == set(scores["night"]) == {int(folder.name)}
    return int(folder.name)


def bytes_of(folder):
    return [sha256((folder / name).read_bytes()).hexdigest() for name in FILES]


@pytest.mark.parametrize("rounds", [2, pytest.param(50, marks=pytest.mark.long)])
def test_r5_a_night_killed_at_any_moment_leaves_a_whole_one(tmp_path, rounds):
    dice, before, first = random.Random(5), 0, 1
    assert ended(started(tmp_path, 0, 1)) == 0
    known = bytes_of(tmp_path / "0")
    for _ in range(rounds):
        writer = started(tmp_path, first, 10_000)
        until = time.monotonic() + dice.uniform(0.0, 0.5)
        while time.monotonic() < until:
            night_there(tmp_path)  # also while it is being written
        writer.send_signal(signal.SIGKILL)
        assert ended(writer) == -signal.SIGKILL
        found = night_there(tmp_path)
        assert found >= before
        # Every folder that has its name is whole, whether `latest` points to it or not.
        whole = [folder for folder in tmp_path.iterdir() if folder.name.isdigit()]
        assert all({f.name for f in folder.iterdir()} == set(FILES) for folder in whole)
        before, first = found, max(int(folder.name) for folder in whole) + 1
    # The same night again has the same bytes.
    again = tmp_path / "again"
    assert ended(started(again, 0, 1)) == 0
    assert bytes_of(again / "0") == known


def test_r5_where_there_is_no_room_the_old_night_stays(tmp_path):
    assert ended(started(tmp_path, 0, 1)) == 0
    most = (tmp_path / "0" / FILES[0]).stat().st_size // 2
    writer = started(tmp_path, 1, 1, most_bytes=most)
    _, said = writer.communicate()
    assert writer.returncode == 1 and b"the output before it stays" in said
    assert night_there(tmp_path) == 0
    assert not (tmp_path / "1").exists()
