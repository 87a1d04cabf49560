"""Unsubscribing by one click, as RFC 8058 has it."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.secret import Secret
from serving.unsubscribing import LONGEST_TOKEN, Tokens
from tests.serving.api.service import CART, publish, running

TOKENS = Tokens(Secret(b"a secret of thirty-two bytes, or more"))
BASE = "https://mail.example.com/v1/unsubscribe"
ONE_CLICK = {
    "content": "List-Unsubscribe=One-Click",
    "headers": {"Content-Type": "application/x-www-form-urlencoded"},
}


@pytest.fixture
def service(tmp_path):
    with running(tmp_path, patches=({"service": {"unsubscribe_url": BASE}},)) as service:
        publish(service)
        yield service


def token(service, customer_id="ann"):
    return Tokens(service.live.secret).token_of(customer_id)


def click(service, method="POST", customer_id="ann", of=None, headers=(), **more):
    """One request as mailboxes send it: without key and cookies."""
    url = f"/v1/unsubscribe/{of or token(service, customer_id)}"
    answer = service.ask_as(dict(headers), method=method, url=url, **more)
    service.pass_time(seconds=1)
    return answer


def suppressed(service, customer_id="ann"):
    return service.get(f"/v1/customers/{customer_id}").json()["permission"]["suppressed_by"]


def events_of(service):
    return service.get("/v1/customers/ann").json()["events"]


@given(st.text(min_size=1, max_size=255).filter(lambda text: "\0" not in text))
def test_a_token_says_who_it_is_to_nobody_else(customer_id):
    token = TOKENS.token_of(customer_id)
    assert TOKENS.customer_of(token) == customer_id
    assert token == TOKENS.token_of(customer_id)
    assert len(token) <= LONGEST_TOKEN
    assert Tokens(Secret(bytes(32))).customer_of(token) is None
    if len(customer_id) > 5:
        assert customer_id not in token
        assert urlsafe_b64encode(customer_id.encode("utf-8", "ignore")).decode()[:6] not in token


def test_a_token_of_which_anything_is_altered_is_nobodys():
    token = TOKENS.token_of("customer-4711")
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        assert TOKENS.customer_of(token[:place] + other + token[place + 1 :]) is None
    for text in ("", "x", token[:-1], token + "A", token + "=", "한글", "!" * 40, token.lower()):
        assert TOKENS.customer_of(text) is None


@pytest.mark.parametrize("body", [ONE_CLICK, {}, {"files": {"List-Unsubscribe": "One-Click"}}])
def test_a_post_unsubscribes_and_what_was_decided_holds_no_more(service, body):
    service.tell(CART)
    send = service.decide("q1")
    body = dict(body)
    answer = click(service, headers=body.pop("headers", {}), **body)

    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert suppressed(service) == "unsubscribe"
    said = service.get(f"/v1/decisions/{send['decision_id']}/valid").json()
    assert (said["valid"], said["because"][0]["code"]) == (False, "suppression")
    assert service.decide("q2")["action"] == "wait"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_the_link_changes_nothing(service, method):
    before = events_of(service)
    answer = click(service, method)
    assert answer.status_code in (200, 401)  # who only wants the head has no key
    if method == "GET":
        assert '<form method="post">' in answer.text
        assert "수신거부" in answer.text and "Unsubscribe" in answer.text
        assert "ann" not in answer.text.replace("channel", "")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert (suppressed(service), events_of(service)) == (None, before)


def test_twice_is_once_and_a_new_consent_can_be_taken_back_again(service):
    before = events_of(service)
    assert [click(service).status_code for _ in range(3)] == [200] * 3
    assert events_of(service) == before + 1

    now = service.now.isoformat()
    yes = {"customer_id": "ann", "kind": "consent", "reason": "granted", "channel": "email"}
    service.tell(yes | {"at": now})
    assert suppressed(service) is None
    assert click(service).status_code == 200  # from the mail of a year ago, say
    assert suppressed(service) == "unsubscribe"


def test_many_at_the_same_moment_are_one(service):
    before = events_of(service)
    path = f"/v1/unsubscribe/{token(service)}"
    answers = service.at_once([("POST", path, None)] * 6)
    assert {answer.status_code for answer in answers} == {200}
    assert events_of(service) == before + 1


def test_whoever_was_erased_is_told_that_it_is_done(service):
    assert service.send(method="DELETE", url="/v1/customers/ann").status_code == 202
    service.pass_time(seconds=1)
    assert click(service).status_code == 200
    assert service.get("/v1/customers/ann").status_code == 404


def test_whoever_is_unknown_here_is_never_mailed(service):
    assert click(service, customer_id="stranger").status_code == 200
    assert suppressed(service, "stranger") == "unsubscribe"


def test_a_wrong_token_is_unknown_and_says_nothing(service):
    for method in ("GET", "POST"):
        for wrong in (token(service)[:-4] + "AAAA", "x", "A" * 64):
            answer = click(service, method, of=wrong)
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown_token")
            assert wrong not in answer.text


def test_a_mail_that_sells_brings_its_link_and_the_receipt_does_not_keep_it(service):
    service.tell(CART)
    send = service.decide("q1")
    assert send["unsubscribe_url"] == f"{BASE}/{token(service)}"
    assert service.decide("q1") == send
    receipt = service.get(f"/v1/decisions/{send['decision_id']}").text
    assert token(service) not in receipt


def test_without_an_address_there_is_no_link(tmp_path):
    with running(tmp_path) as service:
        publish(service)
        service.tell(CART)
        assert service.decide("q1")["unsubscribe_url"] is None


def test_it_never_ends(service):
    old = token(service)
    service.pass_time(days=3650)
    assert click(service, of=old).status_code == 200
    assert suppressed(service) == "unsubscribe"


def test_a_store_that_is_gone_says_so(service, tmp_path):
    (tmp_path / "store.db").rename(tmp_path / "elsewhere.db")
    answer = click(service)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert timedelta(seconds=int(answer.headers["Retry-After"])) < timedelta(minutes=1)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_of_any_length_that_is_nobodys_is_not_found(service, method):
    answer = service.send(method=method, url=f"/v1/unsubscribe/{'A' * 5_000}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_token")
