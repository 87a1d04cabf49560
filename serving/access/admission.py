"""Whether a request is let in: by its key, by what the key may do, and by how much it asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from serving.access.keyring import CANNOT_SAY, Keyring
from serving.access.keys import Key
from serving.access.limits import Caller, Limits, leave, network_of
from serving.access.paths import Way
from serving.access.scopes import Door, Scope, in_force
from serving.access.settings import AccessSettings
from serving.faults import NO_SUCH_METHOD, NO_SUCH_PATH
from serving.schemas.message import Fault
from serving.store import Store

# Of the strangers' places one address takes at most this share: the others stay for the others.
SHARE_OF_ONE_ADDRESS = 1 / 4

CLOSED = Fault(
    code="closed", found="a path that no key opens", do="name the scope it asks in SCOPE_OF"
)
TOO_OFTEN = Fault(
    code="too_often",
    found="more requests than this caller may make, or more at the same moment",
    do="come again after Retry-After seconds; [access] in onje.toml sets the limits",
)


@dataclass(frozen=True)
class Refusal:
    """Why a request is not let in, and when to come again where that may help."""

    status: int
    fault: Fault
    retry_after: int | None = None


@dataclass(frozen=True)
class Entry:
    """A request that was let in, until `leave`. Without a key: nobody was asked for one."""

    key: Key | None
    way: Way
    callers: tuple[Caller, ...]

    def leave(self) -> None:
        for caller in self.callers:
            leave(caller)


class Admission:
    """The doorkeeper of one process. Nothing in it waits for anything."""

    def __init__(self, store: Store) -> None:
        self.keys = Keyring(store)
        self._of_keys = Limits()
        self._of_addresses = Limits()
        self._of_strangers = Limits()

    def let_in(
        self,
        ways: Mapping[str, Way],
        method: str,
        authorization: bytes | None,
        address: str,
        *,
        settings: AccessSettings,
        now: datetime,
        tick: float,
    ) -> Entry | Refusal:
        """Decide on a request to a path with these ways; `tick` never steps back, in seconds."""
        way = ways.get(method)
        asked = in_force(way.asked, settings) if way else Door.CLOSED
        if way and asked is Door.ALWAYS:
            return Entry(None, way, ())
        if way and asked is Door.OPEN:
            return self._stranger(way, address, settings=settings, tick=tick)
        key = self.keys.holder(authorization, now)
        if isinstance(key, Fault):
            return Refusal(503 if key is CANNOT_SAY else 401, key)
        caller = self._of_keys.enter(
            key.key_id,
            tick,
            per_second=settings.per_second,
            burst=settings.burst,
            at_once=settings.at_once,
        )
        if isinstance(caller, int):
            return Refusal(429, TOO_OFTEN, caller)
        refusal = _refusal(way, asked, key, is_path_known=bool(ways))
        if refusal or not way:
            leave(caller)
            return refusal or Refusal(404, NO_SUCH_PATH)
        return Entry(key, way, (caller,))

    def _stranger(
        self, way: Way, address: str, *, settings: AccessSettings, tick: float
    ) -> Entry | Refusal:
        most = settings.open_at_once
        rate, burst = settings.open_per_second, settings.open_burst
        share = max(1, int(most * SHARE_OF_ONE_ADDRESS))
        caller = self._of_addresses.enter(
            network_of(address), tick, per_second=rate, burst=burst, at_once=share
        )
        if isinstance(caller, int):
            return Refusal(429, TOO_OFTEN, caller)
        # So many addresses may come as often as they like; more of them share.
        crowd = self._of_strangers.enter(
            "all",
            tick,
            per_second=rate / SHARE_OF_ONE_ADDRESS,
            burst=int(burst / SHARE_OF_ONE_ADDRESS),
            at_once=most,
        )
        if isinstance(crowd, int):
            leave(caller)
            return Refusal(429, TOO_OFTEN, crowd)
        return Entry(None, way, (caller, crowd))


def _refusal(
    way: Way | None, asked: Scope | Door, key: Key, *, is_path_known: bool
) -> Refusal | None:
    if way is None:
        return Refusal(405, NO_SUCH_METHOD) if is_path_known else Refusal(404, NO_SUCH_PATH)
    if not isinstance(asked, Scope):
        return Refusal(403, CLOSED)
    if asked not in key.scopes:
        fault = Fault(
            code="wrong_scope",
            found=f"a key for {', '.join(sorted(key.scopes))}",
            do=f"this path asks for {asked}: use another key, or make one with "
            f"onje keys add --scopes {asked}",
        )
        return Refusal(403, fault)
    return None
