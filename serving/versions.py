"""What the code that decides is, as a fingerprint: a receipt says by which code it was made."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

PACKAGES = Path(__file__).parents[1]


def features_version() -> str:
    """SHA-256 of the code that makes features."""
    return _digest("features")


def code_version() -> str:
    """SHA-256 of all the code between a history and its decision."""
    return _digest("features", "serving", "training/model")


@cache
def _digest(*packages: str) -> str:
    files = sorted(file for package in packages for file in (PACKAGES / package).rglob("*.py"))
    digest = sha256()
    for file in files:
        digest.update(file.relative_to(PACKAGES).as_posix().encode() + b"\0")
        digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()
