"""Deciding unasked: what makes somebody due, that nothing is lost or doubled, and what goes out."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.outputs.opening import secret_of, shown
from pipelines.signatures import fault_of, secrets_of
from serving.store.tables import decisions, follow_due, outbox
from tests.pipelines.followed import SECRET, receiver, shop
from tests.serving.api.service import NOON
from tests.serving.store.rows import record


@pytest.fixture
def other_side():
    with receiver() as opened:
        yield opened


@pytest.fixture
def the_shop(tmp_path, store_url, other_side):
    with shop(tmp_path, store_url, receiver=other_side) as opened:
        opened.open_for("ann", "bob")
        yield opened


def rows(shop, table):
    with shop.store._connections.reading() as connection:
        return connection.execute(table.select()).all()


def test_an_event_leads_to_a_signed_letter(the_shop, other_side):
    the_shop.happens("e1", "ann")
    done = the_shop.run()
    [(headers, body)] = other_side.got
    told = json.loads(body)
    assert (done.send, done.handed) == (1, {"delivered": 1})
    assert (told["action"], told["customer_id"]) == ("send", "ann")
    assert headers["webhook-id"] == told["decision_id"]
    own = shown(secret_of("sender", {}, SECRET))
    names = {name.lower(): value for name, value in headers.items()}
    assert fault_of(secrets_of(own), names, body, now=datetime.now(UTC)) is None
    assert fault_of([b"x" * 32], names, body, now=datetime.now(UTC)).code == "bad_signature"
    [kept] = rows(the_shop, outbox)
    assert (kept.state, bytes(kept.body)) == ("delivered", b"")
    answer = the_shop.store.decision(told["decision_id"])
    assert (answer.action, answer.state) == ("send", "issued")


def test_what_happened_once_is_decided_once(the_shop, other_side):
    the_shop.happens("e1", "ann")
    for _ in range(3):
        the_shop.run()
    assert len(rows(the_shop, decisions)) == len(other_side.got) == 1


def test_a_burst_is_one_decision_and_the_next_comes_after_the_least_time(tmp_path, store_url):
    patch = {"follow": {"settle_seconds": 5, "least_minutes": 10}}
    with shop(tmp_path, store_url, patches=[patch]) as opened:
        opened.open_for("ann")
        opened.happens("e1", "ann")
        assert opened.run().send == 0
        opened.pass_time(seconds=3)
        opened.happens("e2", "ann", product_id="cup")
        assert opened.run().events == 1
        opened.pass_time(seconds=2)
        assert opened.run().send == 1
        opened.happens("e3", "ann", "view")
        opened.run()
        opened.pass_time(seconds=5)
        assert opened.run().put_off == 1
        opened.pass_time(minutes=9)
        assert opened.run().rounds == 1
        assert len(rows(opened, decisions)) == 1
        opened.pass_time(minutes=1)
        opened.run()
        assert len(rows(opened, decisions)) == 2


def test_a_wait_is_asked_again_when_it_said(the_shop, other_side):
    the_shop.happens("e1", "bob", "view", product_id="mug")
    assert the_shop.run().wait == 1
    [due] = rows(the_shop, follow_due)
    hours = the_shop.settings.policy.ask_again_hours
    assert due.why == "time" and due.at == the_shop.now + timedelta(hours=hours, seconds=1)
    the_shop.pass_time(hours=hours)
    assert the_shop.run().wait == 0
    the_shop.pass_time(seconds=1)
    done = the_shop.run()
    assert done.wait + done.send == 1
    assert other_side.actions().count("wait") == 0


def test_a_step_of_a_workflow_makes_due_when_its_days_have_passed(the_shop):
    """usage_tips follows purchase_thanks after four days, whatever `ask_again_hours` says."""
    the_shop.happens("e1", "bob", "send", email="purchase_thanks", channel="email")
    the_shop.pass_time(days=3, hours=12)
    the_shop.run()
    [due] = rows(the_shop, follow_due)
    assert due.why == "workflow"
    assert due.at == NOON + timedelta(days=4, seconds=1)
    the_shop.pass_time(hours=12, seconds=-1)
    assert len(rows(the_shop, decisions)) == 1
    the_shop.run()
    assert len(rows(the_shop, decisions)) == 1
    the_shop.pass_time(seconds=1)
    the_shop.run()
    assert len(rows(the_shop, decisions)) == 2


def test_a_plan_of_the_night_is_decided_on_live(the_shop):
    the_shop.run()  # somebody follows
    the_shop.store.record_plans([record("p1", "plan", "bob", as_of=the_shop.now)])
    the_shop.run()
    plan, live = sorted(rows(the_shop, decisions), key=lambda row: not row.plan)
    assert (plan.state, live.customer_id) == ("superseded", "bob")


def test_events_that_a_publication_takes_away_unread_are_decided_on(the_shop):
    the_shop.run()
    the_shop.happens("e1", "ann")
    inbox = the_shop.store.uncompacted(10)
    number = the_shop.store.mark_compacted(inbox.numbers)
    from serving.store import follow
    from serving.store.tables import events as online

    with the_shop.store._connections.writing() as connection:
        follow.note_unread(connection, compaction=number)
        connection.execute(online.delete())
    assert [due.customer_id for due in rows(the_shop, follow_due)] == ["ann"]
    assert the_shop.run().rounds == 2


def test_who_unsubscribes_before_it_is_handed_over_is_not_told_of(the_shop, other_side):
    other_side.answers = [503]
    the_shop.happens("e1", "ann")
    the_shop.run()
    the_shop.pass_time(seconds=30)
    other_side.got.clear()
    # It may have come though no answer did: so the end of it is told, and the mail is not.
    the_shop.happens("u1", "ann", "unsubscribe", channel="email")
    the_shop.run()
    assert other_side.actions() == ["cancelled"]
    states = {row.kind: row.state for row in rows(the_shop, outbox)}
    assert states == {"send": "withdrawn", "cancelled": "delivered"}
    assert {row.state for row in rows(the_shop, decisions) if row.action == "send"} == {"cancelled"}


def test_what_was_never_tried_is_withdrawn_without_a_word(the_shop, other_side):
    the_shop.happens("e1", "ann")
    the_shop.following.follower.round()
    the_shop.following.follower.round()
    assert [row.state for row in rows(the_shop, outbox)] == ["waiting"]
    the_shop.pass_time(seconds=5)
    the_shop.happens("u1", "ann", "unsubscribe", channel="email")
    the_shop.run()
    assert other_side.got == []
    assert {row.state for row in rows(the_shop, outbox)} == {"withdrawn"}


def test_a_mail_that_was_handed_over_is_taken_back_within_the_least_time(the_shop, other_side):
    the_shop.happens("e1", "ann")
    the_shop.run()
    the_shop.pass_time(seconds=5)
    the_shop.happens("u1", "ann", "unsubscribe", channel="email")
    done = the_shop.run()
    assert other_side.actions() == ["send", "cancelled"]
    assert (done.cancelled, done.put_off) == (1, 1)
    mail, notice = other_side.letters()
    assert notice["decision_id"] == mail["decision_id"]
    assert other_side.got[1][0]["webhook-id"] == f"{mail['decision_id']}.cancelled"
    assert notice["because"]
    the_shop.happens("v1", "ann", "view")
    the_shop.pass_time(minutes=5)
    the_shop.run()
    assert other_side.actions().count("cancelled") == 1


def test_failures_are_tried_again_later_and_given_up_at_last(the_shop, other_side):
    other_side.answers = [500, 302, 400]
    other_side.headers = {"Location": "http://169.254.169.254/"}
    the_shop.happens("e1", "ann")
    the_shop.run()
    [first] = rows(the_shop, outbox)
    assert (first.state, first.attempts, first.next_at) == (
        "waiting", 1, the_shop.now + timedelta(seconds=10),
    )  # fmt: skip
    the_shop.pass_time(seconds=9)
    the_shop.run()
    assert len(other_side.got) == 1
    the_shop.pass_time(seconds=1)
    the_shop.run()
    the_shop.pass_time(seconds=20)
    the_shop.run()
    assert len(other_side.got) == 3 and len({h["webhook-id"] for h, _ in other_side.got}) == 1
    [dead] = the_shop.store.outbox.listed("dead", output=None, limit=9)
    assert (dead.attempts, dead.status) == (3, "400")
    the_shop.pass_time(hours=1)
    the_shop.run()
    assert len(other_side.got) == 3
    assert the_shop.store.outbox.revive([dead.number], output=None, now=the_shop.now) == 1
    the_shop.run()
    assert [row.state for row in rows(the_shop, outbox)][0] in ("delivered", "withdrawn")


def test_an_output_that_wants_no_more_is_left_alone_until_it_is_resumed(the_shop, other_side):
    other_side.answers = [410]
    the_shop.happens("e1", "ann")
    the_shop.run()
    the_shop.pass_time(minutes=5)
    the_shop.run()
    assert len(other_side.got) == 1
    assert the_shop.store.outbox.resume("sender")
    the_shop.run()
    assert [row.state for row in rows(the_shop, outbox)] == ["delivered"]


def test_an_output_may_ask_to_be_left_alone_for_longer(the_shop, other_side):
    other_side.answers, other_side.headers = [429], {"Retry-After": "120"}
    the_shop.happens("e1", "ann")
    the_shop.run()
    [row] = rows(the_shop, outbox)
    assert row.next_at == the_shop.now + timedelta(seconds=120)


def test_letters_of_one_customer_keep_their_order_and_hold_up_nobody_else(the_shop, other_side):
    other_side.answers = [500]
    the_shop.happens("e1", "ann")
    the_shop.run()
    the_shop.pass_time(seconds=2)
    [send] = rows(the_shop, outbox)
    from serving.store.outbox import Parcel

    later = Parcel(send.decision_id, "sender", "wait", b"{}", the_shop.now)
    the_shop.store.outbox.put([later], customer_id="ann", now=the_shop.now)
    the_shop.happens("e2", "bob")
    the_shop.run()
    assert [one.get("customer_id") for one in other_side.letters()] == ["ann", "bob"]
    the_shop.pass_time(seconds=10)
    the_shop.run()
    assert other_side.letters()[2:] == [other_side.letters()[0], {}]


def test_only_sends_unless_asked(tmp_path, store_url, other_side):
    with shop(tmp_path, store_url, receiver=other_side, only="all") as opened:
        opened.open_for("bob")
        opened.happens("e1", "bob", "view", product_id="mug")
        opened.run()
        assert other_side.actions() == ["wait"]


def test_two_followers_decide_and_tell_once(the_shop, other_side):
    names = [f"n{number}" for number in range(40)]
    the_shop.open_for(*names)
    for name in names:
        the_shop.happens(f"e {name}", name)
    both = [the_shop.another(), the_shop.another()]
    threads = [threading.Thread(target=one.run_once) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    the_shop.run()
    told = [one["customer_id"] for one in other_side.letters()]
    assert sorted(told) == sorted(names)
    assert len(rows(the_shop, decisions)) == len(names)


def test_who_claimed_and_died_leaves_it_to_the_next(the_shop, other_side):
    the_shop.happens("e1", "ann")
    following = the_shop.store.following
    following.read_on(limit=10, now=the_shop.now, settles=timedelta(0))
    lease = timedelta(seconds=the_shop.settings.follow.lease_seconds)
    assert len(following.claim(limit=9, now=the_shop.now, lasts=lease)) == 1
    the_shop.run()
    assert not other_side.got
    the_shop.pass_time(seconds=30)
    the_shop.run()
    assert other_side.actions() == ["send"]


def test_what_happens_while_it_is_decided_is_decided_on_after(the_shop):
    the_shop.happens("e1", "ann")
    following, now = the_shop.store.following, the_shop.now
    following.read_on(limit=10, now=now, settles=timedelta(0))
    [due] = following.claim(limit=9, now=now, lasts=timedelta(minutes=1))
    the_shop.happens("e2", "ann", product_id="cup")
    following.read_on(limit=10, now=now, settles=timedelta(0))
    from serving.store.follow import Settled

    following.settle([Settled(due, None, now, ())], now=now)
    [left] = rows(the_shop, follow_due)
    assert left.cause != due.cause.name and left.claimed_until is None


def test_of_who_was_erased_meanwhile_nothing_is_kept(the_shop):
    the_shop.happens("e1", "ann")
    following, now = the_shop.store.following, the_shop.now
    following.read_on(limit=10, now=now, settles=timedelta(0))
    due = following.claim(limit=9, now=now, lasts=timedelta(minutes=1))
    follower = the_shop.following.follower
    [outcome] = follower._decided(due)
    settled = [follower._settled(due[0], outcome, now)]
    assert settled[0].parcels
    the_shop.store.erase("ann", at=now)
    assert following.settle(settled, now=now) == 0
    assert rows(the_shop, outbox) == rows(the_shop, follow_due) == []
    the_shop.happens("e2", "ann")
    the_shop.run()
    assert rows(the_shop, outbox) == rows(the_shop, decisions) == []


def test_a_rehearsal_leaves_nothing(the_shop, other_side):
    the_shop.happens("e1", "ann")
    [told] = the_shop.following.follower.rehearsed()
    assert (told["action"], told["why"]) == ("send", "event")
    assert not rows(the_shop, decisions) and not rows(the_shop, follow_due)
    assert the_shop.run().send == 1 and other_side.actions() == ["send"]


def test_the_store_gone_ends_nothing(the_shop, other_side, monkeypatch):
    """Both loops go on when it is back."""
    from serving.store import StoreUnavailable

    the_shop.happens("e1", "ann")
    following = the_shop.following
    read_on, left = the_shop.store.following.read_on, [2]

    def gone(**more):
        left[0] -= 1
        if left[0] >= 0:
            raise StoreUnavailable("it is away")
        return read_on(**more)

    monkeypatch.setattr(the_shop.store.following, "read_on", gone)
    monkeypatch.setattr("pipelines.following.AFTER_A_FAULT_S", 0.01)
    other_side.meanwhile = lambda _: following.stop.set()
    following.run()
    assert other_side.actions() == ["send"] and left[0] < 0
