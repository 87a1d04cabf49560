"""Every field of a receipt and every code of a reason has a line on the page."""

from __future__ import annotations

import pytest

from serving.deciding import NO_STORE, RESTLESS
from serving.reasons import doubts, send_reasons, wait_reasons
from serving.receipt_docs import OF_ARM, OF_REASONS, OF_SLOTS, RECEIPT, page
from serving.tables import ARM, DECISIONS, SLOTS
from tests.serving.api.service import CART, publish, running
from tests.serving.shop import SHOP

REASONS = {
    "budget",  # of a night: pipelines.budget
    *(reason.code for reason in send_reasons(SHOP.policy)),
    *(reason.code for reason in wait_reasons("USD", SHOP.policy)),
    *(reason.code for reason in doubts("Europe/Berlin")),
    NO_STORE.code,
    RESTLESS.code,
}


@pytest.fixture
def service(tmp_path):
    with running(tmp_path) as service:
        publish(service)
        yield service


def test_each_field_of_a_receipt_has_a_line(service):
    service.tell(CART)
    sent = service.decide("r1", context={"events": [{"kind": "view", "product_id": "cup"}]})
    receipt = service.get(f"/v1/decisions/{sent['decision_id']}").json()["receipt"]
    assert set(receipt) == set(RECEIPT)
    assert {*DECISIONS} - {"row"} <= set(RECEIPT)
    assert {*receipt["arms"][0]} == {field.name for field in ARM.fields} == set(OF_ARM)
    assert {*receipt["slots"]} == {field.name for field in SLOTS.fields} == set(OF_SLOTS)


def test_each_code_has_a_line():
    """That each comes about, tests/spec/test_every_reason.py shows."""
    assert set(OF_REASONS) == REASONS


def test_the_page_shows_them_all():
    text = page()
    assert all(f"| `{name}` |" in text for name in (*RECEIPT, *OF_ARM, *OF_SLOTS, *OF_REASONS))


def test_a_receipt_says_how_old_what_is_known_is(service):
    service.tell(CART)
    sent = service.decide("r1")
    receipt = service.get(f"/v1/decisions/{sent['decision_id']}").json()["receipt"]
    ages = {one["source"]: one["known_until"] for one in receipt["sources"]}
    assert ages == {
        "email": "2024-04-28T12:00:00Z", "person": "2024-05-01T12:00:00Z",
        "web": "2024-05-01T16:00:00Z",
    }  # fmt: skip
    assert receipt["known_until"] == max(ages.values())
