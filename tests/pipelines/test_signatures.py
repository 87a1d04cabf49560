"""S11: signatures of webhooks, against the library of those who wrote the specification."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.signatures import (
    AT,
    BAD,
    HEADERS,
    ID,
    SIGNATURE,
    STALE,
    fault_of,
    secrets_of,
    signed,
)

standardwebhooks = pytest.importorskip("standardwebhooks", reason="it is of the extra `connectors`")

SECRET, OTHER = b"twenty-four bytes of key", b"the key that takes over."
BODY = '{"events": [{"kind": "view", "customer_id": "민지"}]}'.encode()
# The example of the specification (standardwebhooks.com), made by its authors and not by us.
KNOWN = {
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "headers": {
        ID: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        AT: "1614265330",
        SIGNATURE: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
    "body": b'{"test": 2432232314}',
}


def library(secret):
    return standardwebhooks.Webhook("whsec_" + base64.b64encode(secret).decode())


def now():
    # The library reads the clock itself.
    return datetime.now(UTC)


def by_library(secret, *, identity="m-1", at=None, body=BODY):
    at = at or now()
    signature = library(secret).sign(identity, at, body.decode())
    return {ID: identity, AT: str(int(at.timestamp())), SIGNATURE: signature}


def test_the_example_of_the_specification_holds():
    at = datetime.fromtimestamp(int(KNOWN["headers"][AT]), UTC)
    secrets = secrets_of(KNOWN["secret"])
    assert fault_of(secrets, KNOWN["headers"], KNOWN["body"], now=at) is None
    ours = signed(secrets[0], identity=KNOWN["headers"][ID], at=at, body=KNOWN["body"])
    assert ours == KNOWN["headers"]


def test_what_the_library_signs_is_accepted_and_what_we_sign_it_accepts():
    assert fault_of([SECRET], by_library(SECRET), BODY, now=now()) is None
    library(SECRET).verify(BODY, signed(SECRET, identity="m-2", at=now(), body=BODY))


@pytest.mark.parametrize("place", range(0, len(BODY), 7))
def test_an_altered_byte_is_refused_by_both(place):
    altered = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
    assert fault_of([SECRET], by_library(SECRET), altered, now=now()) == BAD
    with pytest.raises((standardwebhooks.WebhookVerificationError, UnicodeDecodeError)):
        library(SECRET).verify(altered, signed(SECRET, identity="m", at=now(), body=BODY))


@pytest.mark.parametrize(("minutes", "found"), [(4.9, None), (5.1, STALE), (-4.9, None),
                                                (-5.1, STALE)])  # fmt: skip
def test_a_replay_after_five_minutes_and_one_from_the_future_are_refused(minutes, found):
    at = now() - timedelta(minutes=minutes)
    assert fault_of([SECRET], by_library(SECRET, at=at), BODY, now=now()) == found
    ours = signed(SECRET, identity="m", at=at, body=BODY)
    if found is None:
        library(SECRET).verify(BODY, ours)
    else:
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            library(SECRET).verify(BODY, ours)


@pytest.mark.parametrize("name", HEADERS)
def test_each_header_is_needed_and_is_part_of_what_is_signed(name):
    good = by_library(SECRET)
    other = {ID: "m-2", AT: str(int(good[AT]) + 1), SIGNATURE: good[SIGNATURE].swapcase()}
    for headers in ({k: v for k, v in good.items() if k != name}, good | {name: other[name]}):
        assert fault_of([SECRET], headers, BODY, now=now()) == BAD


def test_who_does_not_know_the_secret_learns_nothing_of_the_clock():
    old = by_library(OTHER, at=now() - timedelta(hours=1))
    assert fault_of([SECRET], old, BODY, now=now()) == BAD


def test_while_a_secret_is_rotated_both_hold_and_a_sender_may_sign_by_both():
    assert fault_of([SECRET, OTHER], by_library(SECRET), BODY, now=now()) is None
    assert fault_of([SECRET, OTHER], by_library(OTHER), BODY, now=now()) is None
    at = now()
    both = by_library(OTHER, at=at)
    both[SIGNATURE] += " v1a,AAAA " + by_library(SECRET, at=at)[SIGNATURE]
    assert fault_of([SECRET], both, BODY, now=at) is None
    library(SECRET).verify(BODY, both)
    assert fault_of([OTHER], by_library(SECRET), BODY, now=now()) == BAD


def test_secrets_are_read_as_they_are_handed_out():
    coded = "whsec_" + base64.b64encode(SECRET).decode()
    assert secrets_of(f" {coded} , {OTHER.decode()},") == (SECRET, OTHER)
    assert secrets_of(coded.rstrip("=")) == (SECRET,)
    assert secrets_of("") == ()


def test_the_lines_of_the_page_sign_as_we_verify():
    """The block of docs/operate-hooks.md is run as it stands there."""
    page = (Path(__file__).parents[2] / "docs" / "operate-hooks.md").read_text("utf-8")
    [block] = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len([line for line in block.split("def ")[1].splitlines() if line.strip()]) <= 10
    names = {}
    exec(block, names)
    events = [{"customer_id": "민지", "kind": "view"}]
    secret = "whsec_" + base64.b64encode(SECRET).decode()
    body, headers = names["signed"](secret, events)
    assert fault_of(secrets_of(secret), headers, body, now=now()) is None
    library(SECRET).verify(body, headers)
    assert fault_of(secrets_of(secret), headers, body + b" ", now=now()) == BAD
