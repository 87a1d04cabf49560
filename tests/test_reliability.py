"""The page of promises names every promise once, and only tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
PROMISES = [
    *(f"R{n}" for n in range(1, 17)),
    *(f"S{n}" for n in range(1, 13)),
    *(f"I{n}" for n in range(1, 9)),
]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


def shown_by(promise: str) -> str:
    [line] = [line for line in PAGE.splitlines() if line.startswith(f"| {promise} |")]
    return line.split("|")[3]


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_is_shown_by_something(promise):
    assert re.search(r"`(tests/|make soak)", shown_by(promise))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_what_is_named_is_there(file, test):
    assert f"def {test}(" in (ROOT / file).read_text("utf-8") if test else (ROOT / file).exists()
