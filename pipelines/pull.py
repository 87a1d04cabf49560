"""Ask MLflow once which champions have moved, and bring them here; a process of its own.

`python -m pipelines.pull` prints what it moved as one JSON line. MLflow's client takes a quarter of
a gigabyte and seconds to start, so it lives in no process that answers, and ends after the round.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import OnjeError
from pipelines.models import MODELS
from pipelines.places import Places, places
from serving.orphans import end_with_parent
from training.registry import DATABASE, Registry

if TYPE_CHECKING:
    from training.registry_pull import Pulled

# Serving comes first.
NICENESS = 10
# Of MLflow's client, which else tries for minutes to reach a server that is not there.
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


@dataclass(frozen=True)
class Round:
    """How the last look for moved champions went; `seen` is what the registry's file was then."""

    at: datetime
    problem: str | None
    seen: str | None
    moved: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def pull_once(at: Places) -> Pulled:
    """Bring here what moved."""
    from training.registry_pull import pull_moved

    return pull_moved(Registry(at.home, at.tracking_uri), MODELS)


def last_round(home: Path) -> Round | None:
    """The last one on this machine; None before the first."""
    try:
        told = json.loads(_kept(home).read_text())
        return Round(datetime.fromisoformat(told.pop("at")), **told)
    except (OSError, ValueError, TypeError, KeyError):
        return None  # as good as never: the next round writes it anew


def keep_round(home: Path, done: Round) -> None:
    """Whole or not at all."""
    unfinished = _kept(home).with_name(f".pulled.{os.getpid()}")
    unfinished.write_text(json.dumps(asdict(done) | {"at": done.at.isoformat()}))
    unfinished.replace(_kept(home))


def registry_seen(at: Places) -> str | None:
    """What tells whether MLflow's own file has changed; None where MLflow is a server."""
    if at.tracking_uri is not None:
        return None
    files = (at.home / DATABASE, at.home / f"{DATABASE}-wal")
    stats = [file.stat() for file in files if file.exists()]
    return " ".join(f"{stat.st_mtime_ns}:{stat.st_size}" for stat in stats)


def _kept(home: Path) -> Path:
    return home / "models" / "pulled.json"


def main() -> int:
    """One round; what went wrong is told on standard error, with the exit code of its kind."""
    end_with_parent()
    os.nice(NICENESS)
    for name, value in IMPATIENT.items():
        os.environ.setdefault(name, value)
    try:
        print(json.dumps(asdict(pull_once(places(os.environ)))))
    except OnjeError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
