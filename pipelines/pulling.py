"""Beside the service: look now and then whether MLflow has moved a champion.

One process of a machine does it at a time, and nothing waits for it: whatever becomes of MLflow,
the service answers with what it has.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from datetime import datetime, timedelta

from filelock import FileLock, Timeout

from pipelines.places import Places
from pipelines.pull import Round, keep_round, last_round, registry_seen
from pipelines.serve import ROOT, environment
from serving.live import Live

log = logging.getLogger("onje")

# A download of every model at once is over by then.
LIMIT_S = 300.0
# How often to look whether the setting was switched on.
IDLE_S = 5.0
# Rounds of several processes must not follow each other closely.
MOST_OF_A_ROUND = 0.9


async def keep_pulling(live: Live, at: Places) -> None:
    """Pull for ever; [service] pull_seconds = 0 stops it until it is another number."""
    while True:
        seconds = live.settings.current.serving.service.pull_seconds
        await asyncio.sleep(seconds or IDLE_S)
        if seconds:
            await pull_if_due(live, at, every=timedelta(seconds=seconds))


async def pull_if_due(live: Live, at: Places, *, every: timedelta) -> None:
    """One round, unless another process had one just now or MLflow's own file has not changed."""
    folder = at.home / "models"
    if not folder.is_dir():
        return  # nothing was ever trained here, and nothing is to be made by looking
    try:
        with FileLock(folder / ".pulled.lock", blocking=False):
            now, before = live.clock(), last_round(at.home)
            if before is not None and now - before.at < every * MOST_OF_A_ROUND:
                return
            seen = registry_seen(at)
            unchanged = before is not None and before.problem is None and seen == before.seen
            if seen is not None and unchanged:
                return
            done = await _round(at, now=now, seen=seen)
            keep_round(at.home, done)
    except Timeout:
        return  # another process is at it
    except OSError as problem:
        done = Round(live.clock(), f"{type(problem).__name__} under {folder}", None)
        before = None
    failed = done.problem is not None or bool(done.refused)
    live.metrics.pulls.labels("failed" if failed else "moved" if done.moved else "same").inc()
    if done.moved:
        log.info("champions moved: %s", done.moved)
    told = None if before is None else (before.problem, before.refused)
    if failed and told != (done.problem, done.refused):  # once, not every minute
        log.error("champions stay as they are: %s", done.problem or done.refused)


async def _round(at: Places, *, now: datetime, seen: str | None) -> Round:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pipelines.pull",
        cwd=ROOT, env={**environment(at), "PYTHONPATH": _path()},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        said, complaint = await asyncio.wait_for(child.communicate(), LIMIT_S)
    except TimeoutError:
        return Round(now, f"MLflow took longer than {LIMIT_S:.0f} s", seen)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    lines = (said if child.returncode == 0 else complaint).decode(errors="replace").splitlines()
    last = lines[-1] if lines else f"it ended with {child.returncode}"
    if child.returncode != 0:
        return Round(now, last, seen)
    return Round(now, None, seen, **json.loads(last))


def _path() -> str:
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
