from __future__ import annotations

from datetime import timedelta

import pytest

from tests.serving.api.service import CART, NOON


def kept(service):
    return service.live.store.uncompacted(100).events


def test_an_event_with_an_id_told_twice_is_one(service):
    told = CART | {"event_id": "e1"}
    assert service.tell(told, told)["known_already"] == 1
    assert service.tell(told) == {"accepted": 0, "known_already": 1, "rejected": []}
    assert kept(service).height == 1


def test_an_event_without_an_id_is_known_by_its_content(service):
    assert service.tell(CART)["accepted"] == 1
    assert service.tell(CART)["known_already"] == 1
    assert service.tell(CART | {"product_id": "mug"})["accepted"] == 1


def test_an_event_is_kept_as_it_was_told(service):
    line = {
        "customer_id": "ann", "kind": "order", "order_id": "o2", "product_id": "pen",
        "amount": "12.3456", "currency": "USD", "at": "2024-05-01T17:30:00+09:00",
        "source": "till", "attributes": {"lane": 4, "self": True},
    }  # fmt: skip
    service.tell(line)
    [row] = kept(service).rows(named=True)
    assert (str(row["amount"]), row["source"]) == ("12.3456", "till")
    assert row["at"].isoformat() == "2024-05-01T08:30:00+00:00"
    assert row["known_at"] == NOON
    assert row["attributes"] == '{"lane": 4.0, "self": true}'


def test_each_broken_event_is_told_by_its_place_and_harms_no_other(service):
    answer = service.tell(
        CART,
        CART | {"kind": "vanish"},
        {"customer_id": "ann", "kind": "order", "amount": 3, "currency": "USD"},
        {"customer_id": "ann", "kind": "consent"},
        CART | {"at": (NOON + timedelta(minutes=6)).isoformat()},
        CART | {"product_id": "mug"},
    )
    assert answer["accepted"] == 2
    rejected = {item["index"]: item["fault"] for item in answer["rejected"]}
    assert list(rejected) == [1, 2, 3, 4]
    assert "kind" in rejected[1]["found"]
    assert "order id" in rejected[2]["found"]
    assert "consent" in rejected[3]["found"]
    assert "future" in rejected[4]["found"]
    assert kept(service).height == 2


def test_a_clock_a_little_fast_is_forgiven(service):
    service.tell(CART | {"at": (NOON + timedelta(minutes=4)).isoformat()})
    assert kept(service)["at"].to_list() == [NOON]


@pytest.mark.parametrize(
    ("kind", "more", "channel"),
    [
        ("unsubscribe", {}, "email"),
        ("consent", {"reason": "denied"}, "email"),
        ("view", {}, "web"),
        ("unsubscribe", {"channel": "sms"}, "sms"),
    ],
)
def test_what_concerns_mail_is_about_email_unless_told(service, kind, more, channel):
    service.tell({"customer_id": "ann", "kind": kind, **more})
    assert kept(service)["channel"].to_list() == [channel]


def test_an_unsubscribe_forbids_the_next_mail(service):
    service.tell(CART)
    assert service.decide("r1", dry_run=True)["action"] == "send"
    service.tell({"customer_id": "ann", "kind": "unsubscribe"})
    assert service.decide("r2")["because"][0]["code"] == "suppression"
