"""A copy of the installation to measure on, so that no figure costs somebody a decision."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.installation import Installation, opened
from pipelines.places import places

NEEDED = ("lake", "models", "store.db", "store.db-wal", "onje.toml")


@contextmanager
def copied() -> Iterator[Installation]:
    """A copy of what the environment names, opened; the environment names the copy meanwhile."""
    before = os.environ.get("ONJE_HOME")
    home = places(os.environ).home
    with TemporaryDirectory(prefix="onje-bench-") as folder:
        for name in NEEDED:
            if (home / name).is_dir():
                shutil.copytree(home / name, Path(folder) / name)
            elif (home / name).exists():
                shutil.copy2(home / name, Path(folder) / name)
        os.environ["ONJE_HOME"] = folder
        try:
            with opened() as onje:
                yield onje
        finally:
            del os.environ["ONJE_HOME"]
            if before is not None:
                os.environ["ONJE_HOME"] = before
