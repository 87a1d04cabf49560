"""Did you mean: the known word nearest to one that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str], *, otherwise: str) -> str:
    """`did you mean x?`, or what is said where no known word is near."""
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise


def nearest_of(name: str, known: Iterable[str]) -> str:
    """The same; where none is near, all that are known."""
    words = list(known)
    return nearest(name, words, otherwise=f"known are {', '.join(words)}")
