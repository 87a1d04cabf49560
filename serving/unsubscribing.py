"""Links by which anybody unsubscribes without a login: tokens that tell nobody whose they are."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from datetime import datetime
from hashlib import sha256

import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from features.permissions import permissions_as_of
from serving.live import Live
from serving.schemas.events import Event
from serving.secret import Secret
from serving.store.instants import to_microseconds
from serving.tables import KEY, UTC
from serving.telling import as_told

PURPOSE = "unsubscribe tokens"
SOURCE = "one-click"
# Ids are filled up to multiples of so many bytes, so that a token tells little of their length.
FILLED_TO = 32
END = b"\x80"
# In use by nobody: the longest id is 255 characters of at most four bytes.
LONGEST_TOKEN = 2_048


class Tokens:
    """The token of each customer: their id under AES-SIV (RFC 5297), the same at all times.

    It needs no table, never ends, cannot be guessed or altered, and only this installation reads
    the id in it.
    """

    def __init__(self, secret: Secret) -> None:
        self._cipher = AESSIV(secret.derive(PURPOSE))

    def token_of(self, customer_id: str) -> str:
        said = customer_id.encode("utf-8", "surrogatepass") + END
        filled = said + bytes(-len(said) % FILLED_TO)
        return urlsafe_b64encode(self._cipher.encrypt(filled, None)).rstrip(b"=").decode()

    def url_of(self, customer_id: str, base: str) -> str | None:
        """The link for their mail; None where the settings say no `base` that readers reach."""
        return f"{base.rstrip('/')}/{self.token_of(customer_id)}" if base else None

    def customer_of(self, token: str) -> str | None:
        """Whose token it is; None where it is nobody's."""
        if len(token) > LONGEST_TOKEN:
            return None
        try:
            sealed = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
            said = self._cipher.decrypt(sealed, None)
        except (UnicodeEncodeError, NotBase64, InvalidTag, ValueError):
            return None
        # Several texts decode to the same bytes; only one of them was ever handed out.
        customer_id = said.rstrip(b"\0")[: -len(END)].decode("utf-8", "surrogatepass")
        return customer_id if self.token_of(customer_id) == token else None


def unsubscribe(customer_id: str, live: Live, *, now: datetime) -> None:
    """Let no more mail go to them; durable when this returns. Twice is once.

    Who has agreed anew since their last unsubscribe is taken at their newest word. Of whom was
    erased nothing is kept.
    """
    view = live.store.view_of([customer_id], now=now, settings=live.settings.current.features)
    if customer_id in view.erased:
        return
    present = view.present[customer_id]
    spine = pl.DataFrame(
        [[customer_id], [present]], schema=dict(zip(KEY, (pl.String, UTC), strict=True))
    )
    [said] = permissions_as_of(view.knowledge.history, spine).to_dicts()
    if said["suppressed_by"] == "unsubscribe":
        return
    agreed = said["consent_confirmed_at"]
    # The same for one consent, however often and from however many mails at once it is said.
    whose = sha256(Tokens(live.secret).token_of(customer_id).encode()).hexdigest()[:32]
    event_id = f"{SOURCE}:{whose}:{to_microseconds(agreed) if agreed else 0}"
    event = Event(
        event_id=event_id, customer_id=customer_id, kind="unsubscribe", source=SOURCE, at=present
    )
    rows, _ = as_told([event], now=present)
    live.store.append_events(rows)
