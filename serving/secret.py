"""The root secret of an installation, and the keys that are derived from it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

from features.errors import SettingsError

SHORTEST = 32  # bytes: as many as SHA-256 gives; a shorter one could be the weaker part


@dataclass(frozen=True)
class Secret:
    """What only this installation knows. Nothing but keys derived from it leaves it."""

    root: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.root) < SHORTEST:
            raise SettingsError(
                f"the root secret has {len(self.root)} bytes; ONJE_SECRET or the file `secret` "
                f"in ONJE_HOME needs {SHORTEST} or more: openssl rand -hex 32"
            )

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose; no purpose's key tells another's, nor the root.

        HKDF-SHA256 of RFC 5869 without salt, one block long.
        """
        extracted = hmac.digest(bytes(sha256().digest_size), self.root, sha256)
        return hmac.digest(extracted, purpose.encode() + b"\x01", sha256)
