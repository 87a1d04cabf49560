"""A key: what it looks like, what is kept of it, until when it counts."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from string import ascii_letters, ascii_lowercase, digits

from features.errors import DataError
from serving.access.scopes import Scope

ID_LETTERS = ascii_lowercase + digits
SECRET_LETTERS = ascii_letters + digits
ID_LENGTH = 8
SECRET_LENGTH = 43  # of 62 letters: 256 bits, so that no guessing ever helps
WRITTEN = re.compile(rb"onje_([a-z0-9]{8})_([A-Za-z0-9]{43})")


@dataclass(frozen=True)
class Key:
    """What the store keeps of a key: never its secret, only SHA-256 of it.

    The secret has 256 bits of chance, so that there is nothing to guess from its hash and no need
    of a slow one. After a rotation the older secret counts until `older_until`.
    """

    key_id: str
    name: str
    scopes: frozenset[Scope]
    secret_hash: str
    older_hash: str | None
    older_until: datetime | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def is_opened_by(self, secret: bytes, now: datetime) -> bool:
        """Whether this is its secret; as long in time for a wrong one as for a right one."""
        found = hashed(secret)
        is_newest = hmac.compare_digest(found, self.secret_hash)
        is_older = hmac.compare_digest(found, self.older_hash or self.secret_hash)
        return is_newest or (is_older and self.older_until is not None and now < self.older_until)

    def state(self, now: datetime) -> str:
        """active, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and now >= self.expires_at else "active"

    def rotated(self, *, overlap: timedelta, now: datetime) -> tuple[Key, str]:
        """The same key with a new secret, and the text to hand out; DataError where it is dead."""
        if self.state(now) != "active":
            raise DataError(
                f"key {self.key_id} is {self.state(now)}; make another one with onje keys add"
            )
        secret = _drawn(SECRET_LETTERS, SECRET_LENGTH)
        key = replace(
            self,
            secret_hash=hashed(secret.encode()),
            older_hash=self.secret_hash,
            older_until=now + overlap,
        )
        return key, written(self.key_id, secret)


def new_key(
    *, name: str, scopes: Collection[Scope], lasts: timedelta | None, now: datetime
) -> tuple[Key, str]:
    """A key and the text to hand out, which can be shown but once."""
    key_id, secret = _drawn(ID_LETTERS, ID_LENGTH), _drawn(SECRET_LETTERS, SECRET_LENGTH)
    key = Key(
        key_id=key_id,
        name=name,
        scopes=frozenset(scopes),
        secret_hash=hashed(secret.encode()),
        older_hash=None,
        older_until=None,
        created_at=now,
        expires_at=None if lasts is None else now + lasts,
        revoked_at=None,
        last_used_at=None,
    )
    return key, written(key_id, secret)


def written(key_id: str, secret: str) -> str:
    return f"onje_{key_id}_{secret}"


def parsed(authorization: bytes) -> tuple[str, bytes] | None:
    """Id and secret of an Authorization header; None where it holds no key of ours."""
    scheme, _, text = authorization.partition(b" ")
    found = WRITTEN.fullmatch(text.strip()) if scheme.lower() == b"bearer" else None
    return (found[1].decode(), found[2]) if found else None


def hashed(secret: bytes) -> str:
    return sha256(secret).hexdigest()


def _drawn(letters: str, length: int) -> str:
    return "".join(secrets.choice(letters) for _ in range(length))
