"""Did you mean: the known word nearest to a mistyped one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no known word is near; case does not count."""
    by_lower = {word.lower(): word for word in sorted(known)}
    near = get_close_matches(given.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""
