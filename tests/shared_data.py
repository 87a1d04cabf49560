"""Where the real data is that some tests need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_data(*parts: str) -> Path:
    """A file of the shared data, or a skipped test where there is none."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    file = Path(os.environ.get("ONJE_SHARED_DATA", beside)).joinpath(*parts)
    if not file.exists():
        pytest.skip(f"shared data is not here: {file} (ONJE_SHARED_DATA says where it is)")
    return file
