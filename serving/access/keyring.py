"""The keys that a process knows, read from the store every few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from serving.access.keys import Key, parsed
from serving.schemas.message import Fault
from serving.store import Store, StoreUnavailable

# How finely the last use of a key is kept: nobody needs it to the second, and each note is a write.
NOTED_EVERY = timedelta(minutes=10)

NO_KEY = Fault(
    code="no_key",
    found="no key",
    do="send the header Authorization: Bearer YOUR_KEY; onje keys add makes one",
)
UNKNOWN_KEY = Fault(
    code="unknown_key",
    found="a key that is not known here",
    do="check that it is whole, and made for this installation; one just made or rotated is "
    "known within seconds",
)
EXPIRED = Fault(
    code="expired_key", found="a key that has expired", do="make another with onje keys add"
)
REVOKED = Fault(
    code="revoked_key", found="a key that was revoked", do="make another with onje keys add"
)
# Whoever has a key that this process has not heard of must not be told that it is none.
CANNOT_SAY = Fault(
    code="store_unavailable",
    found="the store does not answer, so nobody can say whether this key holds",
    do="try again; keys known before keep working",
)


class Keyring:
    """Knows keys from memory: while the store is gone, those known before keep working.

    A revoked key is dead as soon as `refresh` has run, which it does every reload_seconds.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: Mapping[str, Key] = {}
        self._used: dict[str, datetime] = {}
        self._is_current = False

    def __len__(self) -> int:
        return len(self._keys)

    def refresh(self) -> None:
        """Read all keys anew and note which were used; StoreUnavailable where that fails."""
        try:
            self._keys = {key.key_id: key for key in self._store.all_keys()}
            self._is_current = True
            if uses := self._news():
                self._store.note_uses(uses)
        except StoreUnavailable:
            self._is_current = False
            raise

    def holder(self, authorization: bytes | None, now: datetime) -> Key | Fault:
        """Whose key this header holds, or why it opens nothing."""
        if not authorization:
            return NO_KEY
        given = parsed(authorization)
        key = self._keys.get(given[0]) if given else None
        if given is None:
            return UNKNOWN_KEY
        if key is None:
            return UNKNOWN_KEY if self._is_current else CANNOT_SAY
        if not key.is_opened_by(given[1], now):
            # Perhaps it was rotated since the store was last read.
            return UNKNOWN_KEY if self._is_current else CANNOT_SAY
        if key.revoked_at is not None:
            return REVOKED
        if key.expires_at is not None and now >= key.expires_at:
            return EXPIRED
        self._used[key.key_id] = now
        return key

    def _news(self) -> dict[str, datetime]:
        """Uses that the store does not know yet, as coarsely as they are kept."""
        return {
            key_id: at
            for key_id, at in self._used.copy().items()
            if key_id in self._keys
            and ((kept := self._keys[key_id].last_used_at) is None or at - kept >= NOTED_EVERY)
        }
