"""One at a time carries data of customers to the files, or takes who was erased out of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipelines.console import Step

WAITING = "waiting for another onje that writes the lake"


@contextmanager
def alone(lake: Path | str, step: Step) -> Iterator[None]:
    """Until the end nobody else asks who was erased and then writes, into this lake or beside it.

    Whoever asks before an erasure and writes after its sweep would bring the erased back for good.
    A lake that is no folder here cannot be locked, nor can it be swept.
    """
    if "://" in str(lake):
        yield
        return
    file = Path(f"{lake}.lock")
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        step(WAITING, 0, 1)
        lock.acquire()
        step(WAITING, 1, 1)
    try:
        yield
    finally:
        lock.release()
