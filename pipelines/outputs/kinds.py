"""The kinds of outputs that there are, and what each has to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

# What stands in `kind` of [outputs.NAME]; where it is made, see pipelines.outputs.opening.
KINDS: Mapping[str, str] = {"webhook": "a signed POST to an address"}


@dataclass(frozen=True)
class Letter:
    """What is handed over: the same `identity` is the same letter, however often it comes."""

    identity: str
    body: bytes


@dataclass(frozen=True)
class Told:
    """What became of handing it over: it was taken, or not, or nothing is wanted any more.

    `after_s`: the other side asked to be left alone for so long.
    """

    taken: bool
    status: str
    wants_no_more: bool = False
    after_s: float = 0.0


class Output(Protocol):
    """One place that decisions go to."""

    @property
    def address(self) -> str:
        """What tells it from another under the same name: an address that was given up is not
        asked again, a new one is.
        """

    def hand_over(self, letter: Letter, *, now: datetime) -> Told:
        """Hand it over once; `now` is the clock on the wall. Never raises for the other side."""
