"""A decision is made again, long after: from what was known then, and from nothing else."""

from __future__ import annotations

import json
import tomllib

import pytest

from features.errors import DataError, NotReadyError
from pipelines.replay import said
from tests.serving.api.service import SETTINGS_FILE
from tests.serving.drawn import moment
from tests.spec.replaying import replayed_shop

PAST = """
    ann | consent  | 2026-01-05T15:00 | granted
    ann | order    | 2026-02-10T15:00 | milk  | 12
    ann | order    | 2026-02-20T15:00 | bread | 15
    bob | consent  | 2026-01-05T15:00 | granted
"""
# In the morning of New York, on a Tuesday.
NOW, LATER = "2026-03-03T16:00", "2026-03-09T16:00"


def cart(product: str = "bread", **more) -> dict:
    return {"customer_id": "ann", "kind": "cart_add", "product_id": product, "amount": 9,
            "currency": "USD", "quantity": 1, **more}  # fmt: skip


@pytest.fixture
def shop(tmp_path):
    with replayed_shop(tmp_path) as shop:
        shop.at(NOW)
        shop.happened(PAST)
        shop.open("ann", "bob")
        yield shop


def decided(shop, **more) -> str:
    """Ann put something into her cart an hour ago: that is worth a reminder."""
    shop.told(cart(event_id="cart", at="2026-03-03T15:00:00Z"))
    answer = shop.service.decide("r1", "ann", **more)
    assert answer["action"] == "send"
    return answer["decision_id"]


def test_asked_again_at_once_it_is_equal(shop):
    done = shop.replayed(decided(shop))
    assert done.equal, said(done)
    assert done.differences == done.notes == []
    assert done.compared > 300  # every figure of the receipt, not only what was decided
    assert said(done).startswith("equal: ")


def test_what_became_known_later_plays_no_part(shop):
    """
    03 Mar  decided
    04 Mar  ann orders, unsubscribes, gets mail      known then
    04 Mar  an order of 01 Mar comes in late          happened before, known after
    05 Mar  all of it is carried to the lake and published
    """
    decision = decided(shop)
    shop.at("2026-03-04T16:00")
    shop.told(
        cart("soap"),
        {"customer_id": "ann", "kind": "order", "product_id": "bread", "amount": 9,
         "currency": "USD", "order_id": "o", "at": "2026-03-04T15:00:00Z"},
        {"customer_id": "ann", "kind": "send", "email": "cart_reminder", "decision_id": decision},
        {"customer_id": "ann", "kind": "unsubscribe"},
    )  # fmt: skip
    shop.happened("ann | order | 2026-03-01T15:00 | milk | 30", known="2026-03-04T15:30")
    shop.at("2026-03-05T16:00")
    shop.publish()
    assert shop.store.online_events(["cart"]).is_empty()  # the store has let go of what it knew
    shop.at(LATER)
    done = shop.replayed(decision)
    assert done.equal, said(done)


def test_an_import_that_is_dated_back_plays_no_part_either(shop):
    """A file of old orders that says it was known all along: the decision did not know it."""
    decision = decided(shop)
    shop.happened("ann | order | 2026-02-25T15:00 | milk | 30", known="2026-02-25T15:00")
    shop.publish()
    done = shop.replayed(decision)
    assert done.equal, said(done)


def test_what_the_caller_told_with_the_question_is_in_the_receipt(shop):
    seen = {"events": [{"kind": "cart_add", "product_id": "milk", "amount": 4, "currency": "USD"}]}
    answer = shop.service.decide("r1", "ann", context=seen)
    assert answer["products"][0] == "milk"
    shop.at(LATER)
    done = shop.replayed(answer["decision_id"])
    assert done.equal, said(done)


def test_mails_that_were_promised_then_count_again(shop):
    """A reminder was promised when the next question came; later it was cancelled."""
    first = decided(shop)
    second = shop.service.decide("r2", "ann")
    [promised] = shop.store.decision(second["decision_id"]).receipt["promised"]
    assert (promised["decision_id"], promised["email"]) == (first, "cart_reminder")
    shop.service.post(f"/v1/decisions/{first}/cancel")
    shop.at(LATER)
    done = shop.replayed(second["decision_id"])
    assert done.equal, said(done)


def test_settings_that_were_changed_since_are_named_and_those_of_then_are_used(shop):
    decision = decided(shop)
    shop.change({"emails": {"cart_reminder": {"click_rate": 0.5}}}, when="2026-03-04T00:00")
    shop.change({"policy": {"fatigue": 9.0}}, when="2026-03-04T00:00")
    done = shop.replayed(decision)
    assert done.equal, said(done)
    [note] = done.notes
    head, policy, email = note.split("\n  ")
    assert head == "settings have changed since, those of then were used:"
    assert policy.startswith("policy.fatigue ") and policy.endswith(" then, 9.0 now")
    assert email.startswith("emails.cart_reminder.click_rate 0.") and email.endswith("0.5 now")


def test_an_email_that_is_new_or_gone_is_one_line(shop):
    welcome = tomllib.loads(SETTINGS_FILE.read_text("utf-8"))["emails"]["welcome"]
    decision = decided(shop)
    shop.change({"emails": {"spring_sale": welcome}}, when="2026-03-04T00:00")
    done = shop.replayed(decision)
    [note] = done.notes
    assert note.split("\n  ")[1:] == ["emails.spring_sale is new"]
    later = shop.service.decide("r2", "ann")["decision_id"]
    shop.store.undo_patch(shop.store.patches()[-1].version, who="joon", at=moment(LATER))
    shop.service.live.refresh()
    [note] = shop.replayed(later).notes
    assert note.split("\n  ")[1:] == ["emails.spring_sale is gone"]


def test_a_shelf_that_was_changed_since_plays_no_part(shop):
    decision = decided(shop)
    gone = shop.lake.read("products")
    shop.lake.append("products", gone.with_columns(available=False))
    shop.publish()
    done = shop.replayed(decision)
    assert done.equal, said(done)


def test_a_plan_of_the_night_is_decided_again_too(shop):
    shop.told(cart(event_id="cart", at="2026-03-03T15:00:00Z"))
    shop.night(moment("2026-03-03T17:00"))
    for customer in ("ann", "bob"):
        [plan] = shop.store.recent_decisions(customer, limit=5)
        assert plan.plan
        shop.happened(f"{customer} | order | 2026-03-03T18:00 | milk | 30")
        done = shop.replayed(plan.decision_id)
        assert done.equal, said(done)


def test_a_plan_that_the_nights_budget_cut_is_cut_again(tmp_path):
    """Six carts, chance draws more than one e-mail, and one a night is all: the others wait."""
    names = ("ann", "bob", "cat", "dan", "eve", "fay")
    drawn = {"explore_emails": 1.0, "explore_emails_at_first": 1.0}
    with replayed_shop(tmp_path, {"budget": {"mails_per_day": 1}, "policy": drawn}) as shop:
        shop.at(NOW)
        shop.happened("".join(f"{name} | consent | 2026-01-05T15:00 | granted\n" for name in names))
        shop.open(*names)
        for name in names:
            shop.told({**cart(), "customer_id": name, "at": "2026-03-03T15:00:00Z"})
        shop.night(moment("2026-03-03T17:00"))
        plans = [shop.store.recent_decisions(name, limit=1)[0] for name in names]
        codes = [{reason["code"] for reason in plan.receipt["because"]} for plan in plans]
        assert [plan.action for plan in plans].count("send") == 1
        assert any("budget" in told for told in codes)
        for plan in plans:
            done = shop.replayed(plan.decision_id)
            assert done.equal, said(done)


def test_a_receipt_that_was_tampered_with_is_found(shop):
    decision = decided(shop)
    tamper(shop, decision, lambda receipt: receipt["features"].update(orders=7.0))
    done = shop.replayed(decision)
    assert (done.equal, done.same_decision) == (False, True)
    assert [str(one) for one in done.differences] == ["features.orders: 7.0 then, 2.0 now"]


def test_another_decision_is_called_so(shop):
    decision = decided(shop)
    tamper(shop, decision, lambda receipt: receipt.update(products=["milk"]))
    done = shop.replayed(decision)
    assert not done.same_decision
    assert said(done).startswith("another decision: ")


def test_events_that_are_gone_are_named(shop):
    decision = decided(shop)
    tamper(shop, decision, lambda receipt: receipt["online_events"].append("lost"))
    assert shop.replayed(decision).notes == ["events that were known then are gone: lost"]


def test_a_model_that_is_gone_is_named(shop):
    decision = decided(shop)
    tamper(shop, decision, lambda receipt: receipt["versions"]["models"].update(churn="7"))
    done = shop.replayed(decision)
    [note] = done.notes
    assert note.startswith("version 7 of model churn is gone")
    assert [str(one) for one in done.differences] == ["versions.models.churn: 7 then, nothing now"]


def test_another_code_is_told_and_is_no_difference_by_itself(shop):
    decision = decided(shop)
    tamper(shop, decision, lambda receipt: receipt["versions"].update(code="of last year"))
    done = shop.replayed(decision)
    assert done.equal
    assert done.notes == ["the code that decides is another today than it was then"]


def test_a_decision_that_nobody_made(shop):
    with pytest.raises(NotReadyError, match="no decision 00000000"):
        shop.replayed("00000000-0000-0000-0000-000000000000")


def test_a_receipt_of_an_older_release_says_what_it_lacks(shop):
    decision = decided(shop)
    tamper(shop, decision, lambda receipt: receipt.pop("promised"))
    with pytest.raises(DataError, match="has no promised"):
        shop.replayed(decision)


def tamper(shop, decision: str, change) -> None:
    """Change the receipt where it is kept."""
    from sqlalchemy import update

    from serving.store.tables import decisions

    receipt = shop.store.decision(decision).receipt
    change(receipt)
    with shop.store._connections.writing() as connection:
        connection.execute(
            update(decisions)
            .where(decisions.c.decision_id == decision)
            .values(receipt=json.dumps(receipt))
        )


def test_what_an_earlier_release_did_not_keep_and_there_is_none_of_is_no_difference(shop):
    decision = decided(shop)

    def as_before(receipt):
        assert (receipt.pop("moved_by"), receipt["conditions"].pop("used")) == ([], {})

    tamper(shop, decision, as_before)
    assert shop.replayed(decision).equal
