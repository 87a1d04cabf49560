"""How often each caller may come, and how many questions of theirs may be under way."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from math import ceil

# Callers that are remembered before those are forgotten who have not come for a while.
REMEMBERED = 10_000
# Whoever is given IPv6 is given so many bits' worth of it, and may come from any of it.
IPV6_BITS = 64
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
        self._most = REMEMBERED

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
        """Forget whoever would be met as a stranger is: nothing under way, a full bucket.

        All are looked at only when they have become twice as many as were left the last time.
        """
        if len(self._callers) < self._most:
            return
        self._callers = {
            name: caller
            for name, caller in self._callers.items()
            if caller.under_way or caller.tokens + (now - caller.at) * per_second < burst
        }
        self._most = max(REMEMBERED, 2 * len(self._callers))


def network_of(address: str) -> str:
    """By what an address without a key is counted: itself, of IPv6 its network."""
    if ":" not in address:
        return address
    try:
        found = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address  # of no kind that the internet knows
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(IPv6Network((found, IPV6_BITS), strict=False))


def leave(caller: Caller) -> None:
    caller.under_way -= 1
