"""How long each operation of the store takes, for whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from time import perf_counter
from typing import Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Told the name of an operation, its seconds, and whether it came to its end.
Observe = Callable[[str, float, bool], None]


class Observed(Protocol):
    """What has operations to be timed."""

    observe: Observe


S = TypeVar("S", bound=Observed)


def unobserved(_operation: str, _seconds: float, _done: bool) -> None:
    """Nobody wants to know."""


def timed(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """The same method; whoever observes its object is told of each call."""

    @wraps(method)
    def observed(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        began = perf_counter()
        done = False
        try:
            result = method(self, *args, **kwargs)
            done = True
            return result
        finally:
            self.observe(method.__name__, perf_counter() - began, done)

    return observed
