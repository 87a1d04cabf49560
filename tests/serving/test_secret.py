"""The root secret and what is derived from it."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest

from features.errors import SettingsError
from serving.secret import Secret

ROOT = b"0123456789abcdef0123456789abcdef"


def test_each_purpose_has_a_key_of_its_own_that_stays_the_same():
    secret = Secret(ROOT)

    assert secret.derive("unsubscribe") == Secret(ROOT).derive("unsubscribe")
    assert len({secret.derive("unsubscribe"), secret.derive("erased"), ROOT}) == 3
    assert Secret(ROOT + b"!").derive("erased") != secret.derive("erased")


def test_it_is_hkdf_as_rfc_5869_has_it():
    """Its test case 3 has no salt and no info; only the length of one block is compared."""
    root = bytes([0x0B] * 22)
    known = bytes.fromhex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")
    extracted = hmac.digest(bytes(32), root, sha256)
    assert hmac.digest(extracted, b"\x01", sha256) == known  # the formula

    longer = root + bytes([0x0B] * 10)
    extracted = hmac.digest(bytes(32), longer, sha256)
    assert Secret(longer).derive("") == hmac.digest(extracted, b"\x01", sha256)


def test_nobody_reads_it_in_a_message():
    assert "0123456789" not in repr(Secret(ROOT))
    with pytest.raises(SettingsError, match="has 5 bytes.*openssl rand"):
        Secret(b"short")
