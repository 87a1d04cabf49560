from __future__ import annotations

import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy.exc import IntegrityError

from serving.budgets import Spend
from serving.store import Kept, OtherBody, Outrun, Store, budgets, decided
from tests.serving.store.rows import NOW, event, events, record

THREADS = 32


def keep(store, *records):
    return store.record(records, at=NOW)


def at_once(store_url, work):
    """The results of `work(store, number)` in 32 threads that start together, on two stores."""
    # Two stores on one file stand for two processes: they share no lock within this one.
    stores = [Store.open(store_url, patience_s=20.0) for _ in range(2)]
    start = Barrier(THREADS)

    def one(number):
        start.wait()
        return work(stores[number % 2], number)

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(one, range(THREADS)))
    for store in stores:
        store.close()
    return results


def test_a_kept_decision_can_be_read_with_its_receipt(store):
    assert keep(store, record("r1", "d1")) == [Kept(b"answer of d1")]
    found = store.decision("d1")
    assert (found.customer_id, found.action, found.email) == ("ann", "send", "welcome")
    assert (found.state, found.plan, found.receipt) == ("issued", False, {"why": "test"})
    assert store.decision("another") is None


def test_the_same_request_gets_the_first_answer_and_leaves_no_second_decision(store, view):
    keep(store, record("r1", "d1"))
    assert keep(store, record("r1", "d2", revision=1)) == [Kept(b"answer of d1")]
    assert store.remembered({"r1": "hash"}) == {"r1": Kept(b"answer of d1")}
    assert store.decision("d2") is None
    assert view("ann").knowledge.mail.height == 1


def test_a_request_id_with_another_body_is_told_apart(store):
    keep(store, record("r1", "d1"))
    assert keep(store, record("r1", "d2", body_hash="other")) == [OtherBody()]
    assert store.remembered({"r1": "other", "r2": "hash"}) == {"r1": OtherBody()}


def test_one_request_sent_32_times_at_once_is_decided_once(store, url, view):
    answers = at_once(url, lambda s, n: keep(s, record("r1", f"d{n}", action="wait")))
    assert len({answer for (answer,) in answers}) == 1
    assert len(store.recent_decisions("ann", limit=100)) == 1


def spending(*amounts, limit=10.0):
    return tuple(Spend("mails 2024-05-01", amount, limit) for amount in amounts)


def used_of_budgets(store):
    with store._connections.reading() as connection:
        return budgets.used_since(connection, NOW)


def test_what_was_answered_elsewhere_meanwhile_uses_nothing_of_a_budget(store, monkeypatch):
    keep(store, record("r1", "d1", spends=spending(1)))
    look, sees_nothing = decided.remembered, iter([True])
    # As where another customer's transaction, of the same request, ends between look and write.
    monkeypatch.setattr(decided, "remembered", lambda *a: {} if next(sees_nothing, 0) else look(*a))
    late = record("r1", "d2", customer_id="bob", spends=spending(1))
    other = record("r2", "d3", customer_id="cid", spends=spending(1))
    assert keep(store, late, other) == [Kept(b"answer of d1"), Kept(b"answer of d3")]
    assert store.decision("d2") is None and store.decision("d3") is not None
    assert used_of_budgets(store) == {"mails 2024-05-01": 2.0}


def test_what_no_budget_has_room_for_is_neither_answered_nor_counted(store):
    few = [
        record(f"r{n}", f"d{n}", customer_id=f"c{n}", spends=spending(1, limit=2)) for n in range(3)
    ]
    assert keep(store, *few) == [Kept(b"answer of d0"), Kept(b"answer of d1"), Outrun()]
    assert store.remembered({f"r{n}": "hash" for n in range(3)}).keys() == {"r0", "r1"}
    assert used_of_budgets(store) == {"mails 2024-05-01": 2.0}
    assert store.cancel("d0") == "cancelled"
    assert used_of_budgets(store) == {"mails 2024-05-01": 2.0}  # it may have left


def test_of_32_sends_decided_on_one_revision_one_is_kept(store, url, view):
    results = at_once(url, lambda s, n: keep(s, record(f"r{n}", f"d{n}")))
    assert [type(r) for (r,) in results].count(Kept) == 1
    assert [type(r) for (r,) in results].count(Outrun) == THREADS - 1
    assert view("ann").knowledge.mail.height == 1


def test_an_event_in_between_outruns_a_send_but_not_a_wait(store, view):
    seen = view("ann").revisions["ann"]
    store.append_events(events(event("e1", kind="unsubscribe")))
    sent, waited = record("r1", revision=seen), record("r2", action="wait", revision=seen)
    assert keep(store, sent) == [Outrun()]
    assert keep(store, waited) == [Kept(waited.answer)]
    now_seen = view("ann").revisions["ann"]
    assert keep(store, record("r1", revision=now_seen)) == [Kept(sent.answer)]


def test_an_event_known_already_or_of_another_customer_outruns_nothing(store, view):
    store.append_events(events(event("e1")))
    seen = view("ann").revisions["ann"]
    store.append_events(events(event("e1"), event("e2", "bob")))
    assert keep(store, record("r1", revision=seen)) == [Kept(b"answer of r1")]


def test_a_promised_mail_is_seen_until_it_expires(store, view):
    keep(store, record("r1", "d1", held_until=NOW + timedelta(hours=2)))
    mail = view("ann").knowledge.mail.row(0, named=True)
    assert (mail["decision_id"], mail["email"]) == ("d1", "welcome")
    assert mail["at"] == NOW + timedelta(hours=3)
    assert view("ann", now=NOW + timedelta(hours=2)).knowledge.mail.height == 0


def test_a_wait_promises_nothing(store, view):
    keep(store, record("r1", action="wait"))
    assert view("ann").knowledge.mail.height == 0


def test_cancelling_frees_the_promise_and_can_be_repeated(store, view):
    keep(store, record("r1", "d1"))
    assert (store.cancel("d1"), store.cancel("d1")) == ("cancelled", "cancelled")
    assert view("ann").knowledge.mail.height == 0
    assert store.cancel("unknown") is None


def test_a_send_event_settles_the_promise_and_cannot_be_cancelled(store, view):
    keep(store, record("r1", "d1"), record("r2", "d2", "bob"))
    store.append_events(events(event("e1", kind="send", decision_id="d1")))
    assert view("ann", "bob").knowledge.mail["decision_id"].to_list() == ["d2"]
    assert store.cancel("d1") == "sent"


def test_a_live_decision_supersedes_the_plans_of_its_customer(store, view):
    store.record_plans([record("p1", "plan of ann"), record("p2", "plan of bob", "bob")])
    assert view("ann", "bob").knowledge.mail.height == 0
    keep(store, record("r1", "d1"))
    assert store.decision("plan of ann").state == "superseded"
    assert store.decision("plan of bob").state == "issued"
    assert store.decision("d1").state == "issued"


def night(store, name, customer_id="ann", **more):
    store.record_plans([record(name, name, customer_id, **more)])


def test_the_same_night_again_changes_nothing_and_the_next_one_takes_over(store):
    night(store, "first")
    night(store, "first")
    assert store.decision("first").state == "issued"
    night(store, "second")
    assert store.decision("first").state == "superseded"
    assert store.decision("second").state == "issued"


def test_an_older_night_gives_way_to_the_plans_of_a_later_one(store):
    night(store, "later", as_of=NOW)
    night(store, "older", as_of=NOW - timedelta(days=1))
    assert store.decision("later").state == "issued"
    assert store.decision("older").state == "superseded"
    night(store, "of the same moment", as_of=NOW)
    assert store.decision("later").state == "superseded"
    assert store.decision("of the same moment").state == "issued"


def test_the_same_night_again_wakes_no_plan_that_a_live_decision_took_over(store):
    night(store, "plan")
    keep(store, record("r1", "live", as_of=NOW + timedelta(hours=1)))
    night(store, "plan")
    assert store.decision("plan").state == "superseded"
    assert store.decision("live").state == "issued"


def test_a_live_decision_made_while_the_night_was_under_way_holds(store):
    keep(store, record("r1", "live", as_of=NOW + timedelta(minutes=1)))
    night(store, "made before")
    night(store, "of bob", "bob")
    assert store.decision("made before").state == "superseded"
    assert store.decision("of bob").state == "issued"
    night(store, "of the next day", as_of=NOW + timedelta(days=1))
    assert store.decision("of the next day").state == "issued"


def test_a_fault_of_ours_names_no_customer_and_no_receipt(store):
    keep(store, record("r1", "d1", "customer-1723", receipt='{"why": "secret"}'))
    again = record("r2", "d1", "customer-1723", revision=1, receipt='{"why": "secret"}')
    with pytest.raises(IntegrityError) as fault:
        keep(store, again)
    told = "".join(traceback.format_exception(fault.value))
    assert "customer-1723" not in told
    assert "secret" not in told


def test_recent_decisions_come_newest_first(store):
    for hour in range(3):
        as_of = NOW + timedelta(hours=hour)
        keep(store, record(f"r{hour}", f"d{hour}", action="wait", as_of=as_of))
    recent = store.recent_decisions("ann", limit=2)
    assert [decided.decision_id for decided in recent] == ["d2", "d1"]


@pytest.mark.parametrize("text", ["'; DROP TABLE decisions; --", '" OR 1=1', "잉크\n😀"])
def test_hostile_text_is_only_text(store, text):
    keep(store, record(text, text, customer_id=text))
    assert store.decision(text).customer_id == text
    assert store.decision("' OR '1'='1") is None
