"""Signatures of webhooks as the Standard Webhooks specification has them, both ways.

`webhook-signature: v1,BASE64(HMAC-SHA256(secret, "{id}.{unix seconds}.{body}"))`, several with
spaces between while a secret is being rotated (standardwebhooks.com, specification 1.0.0).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from serving.schemas.message import Fault

ID, AT, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
HEADERS = (ID, AT, SIGNATURE)
# How far the clocks of two sides may differ, and how long a delivery may be under way.
WINDOW = timedelta(minutes=5)

BAD = Fault(
    code="bad_signature",
    found="the signature is not one of this body under a secret that holds",
    do="sign id, timestamp and raw body with HMAC-SHA256, as docs/operate-hooks.md shows",
)
STALE = Fault(
    code="stale_signature",
    found=f"it was signed more than {WINDOW // timedelta(minutes=1)} minutes ago, or ahead",
    do="set the sender's clock, and sign anew what is sent again",
)


def secrets_of(text: str) -> tuple[bytes, ...]:
    """The secrets in a list with commas between: `whsec_` and base64, or any other text as it is.

    Two hold at once while one is being rotated.
    """
    return tuple(_secret(one.strip()) for one in text.split(",") if one.strip())


def _secret(text: str) -> bytes:
    prefix, mark, rest = text.partition("whsec_")
    if prefix or not mark:
        return text.encode()
    return base64.b64decode(rest + "=" * (-len(rest) % 4), validate=True)


def signed(secret: bytes, *, identity: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a body that is sent at a moment under an id of its own."""
    seconds = str(int(at.timestamp()))
    digest = base64.b64encode(_digest(secret, identity, seconds, body)).decode()
    return {ID: identity, AT: seconds, SIGNATURE: f"v1,{digest}"}


def fault_of(
    secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes, *, now: datetime
) -> Fault | None:
    """What is wrong with a signature at a moment; None where one of the secrets made it.

    The signature is asked first, so that only who knows a secret learns of the clock.
    """
    identity, seconds = headers.get(ID, ""), headers.get(AT, "")
    if not identity or not seconds.isascii() or not seconds.isdigit() or len(seconds) > 12:
        return BAD  # whoever shows no signature costs no hash of a body
    given = [_given(one) for one in headers.get(SIGNATURE, "").split(" ")]
    meant = [_digest(secret, identity, seconds, body) for secret in secrets]
    # Every pair is compared, whatever came out before.
    agree = [hmac.compare_digest(one, other) for one in given for other in meant]
    if not any(agree):
        return BAD
    behind = now - datetime.fromtimestamp(int(seconds), UTC)
    return STALE if abs(behind) > WINDOW else None


def _digest(secret: bytes, identity: str, seconds: str, body: bytes) -> bytes:
    # latin-1 is what headers are read as; it gives back whatever bytes were sent.
    head = f"{identity}.{seconds}.".encode("latin-1", "replace")
    return hmac.digest(secret, head + body, sha256)


def _given(signature: str) -> bytes:
    version, _, text = signature.partition(",")
    if version != "v1":
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
