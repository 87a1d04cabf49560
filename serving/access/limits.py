"""How often each caller may come, and how many questions of theirs may be under way."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

# Callers that are remembered before those are forgotten who have not come for a while.
REMEMBERED = 10_000
# What to wait for a place among the questions under way: they take a moment each.
A_MOMENT_S = 1


@dataclass(slots=True)
class Caller:
    """One key, or one address that came without any."""

    tokens: float
    at: float
    under_way: int = 0


class Limits:
    """A token bucket and a count of what is under way, for each caller of this process."""

    def __init__(self) -> None:
        self._callers: dict[str, Caller] = {}

    def enter(
        self, name: str, now: float, *, per_second: float, burst: int, at_once: int
    ) -> Caller | int:
        """The caller, let in until `leave`; or the seconds after which to come again.

        `now` is a clock that never steps back, in seconds.
        """
        caller = self._callers.get(name)
        if caller is None:
            self._forget(now, per_second=per_second, burst=burst)
            caller = self._callers[name] = Caller(float(burst), now)
        else:
            caller.tokens = min(float(burst), caller.tokens + (now - caller.at) * per_second)
            caller.at = now
        if caller.tokens < 1:
            return ceil((1 - caller.tokens) / per_second)
        if caller.under_way >= at_once:
            return A_MOMENT_S
        caller.tokens -= 1
        caller.under_way += 1
        return caller

    def _forget(self, now: float, *, per_second: float, burst: int) -> None:
        """Forget whoever would be met as a stranger is: nothing under way, a full bucket."""
        if len(self._callers) < REMEMBERED:
            return
        self._callers = {
            name: caller
            for name, caller in self._callers.items()
            if caller.under_way or caller.tokens + (now - caller.at) * per_second < burst
        }


def leave(caller: Caller) -> None:
    caller.under_way -= 1
