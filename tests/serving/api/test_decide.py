from __future__ import annotations

import json
import time
from datetime import datetime, timedelta

import pytest

from serving.deciding import TOO_BUSY, decide_together
from serving.schemas.decisions import DecisionRequest
from tests.serving.api.service import CART, NOON, publish, running

RIVALS = 32


def decide_body(request_id, **more):
    return {"request_id": request_id, "customer_id": "ann", **more}


def codes(answer):
    return [reason["code"] for reason in answer["because"]]


def test_an_event_told_now_changes_the_next_decision(service):
    assert service.decide("before")["action"] == "wait"
    assert service.tell(CART) == {"accepted": 1, "known_already": 0, "rejected": []}
    after = service.decide("after")
    assert (after["action"], after["email"]) == ("send", "cart_reminder")
    assert NOON <= datetime.fromisoformat(after["send_at"]) <= NOON + timedelta(hours=22)


def test_what_the_caller_saw_counts_for_this_decision_only(service):
    seen = {key: value for key, value in CART.items() if key != "customer_id"}
    told = service.decide("with", context={"events": [seen]}, dry_run=True)
    assert (told["action"], told["email"]) == ("send", "cart_reminder")
    assert service.decide("without")["action"] == "wait"


def test_an_event_of_the_context_without_a_time_was_just_now(service):
    seen = [{"kind": "cart_add", "product_id": "pen"}]
    emails = ["cart_reminder"]
    told = service.decide("r1", context={"events": seen}, emails=emails, dry_run=True)
    assert told["action"] == "send"


def test_nobody_gives_consent_in_passing(service):
    consent = {"kind": "consent", "reason": "granted"}
    body = decide_body("r1", context={"events": [consent]})
    answer = service.post("/v1/decide", body)
    assert answer.status_code == 422
    assert "context.events.0.kind" in answer.json()["found"]


def test_a_wait_has_neither_email_nor_time(service):
    wait = service.decide("r1")
    assert wait["action"] == "wait"
    assert not {"email", "variant", "send_at", "products", "slots"} & set(wait)
    assert wait["because"]


def test_the_same_question_gets_the_same_bytes(service):
    service.tell(CART)
    body = decide_body("r1", emails=["cart_reminder"])
    first = service.post("/v1/decide", body)
    service.pass_time(hours=5)
    again = service.post("/v1/decide", dict(reversed(body.items())))
    assert again.content == first.content
    assert again.json()["action"] == "send"


def test_the_same_id_with_another_question_is_a_conflict(service):
    service.decide("r1")
    answer = service.post("/v1/decide", decide_body("r1", emails=["welcome"]))
    assert answer.status_code == 409
    assert answer.json()["code"] == "request_id_reused"


def test_one_question_asked_32_times_at_once_is_decided_once(service):
    service.tell(CART)
    answers = service.at_once([("POST", "/v1/decide", decide_body("r1"))] * RIVALS)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert len(service.get("/v1/customers/ann").json()["recent_decisions"]) == 1


def test_32_triggers_at_once_in_two_processes_cannot_break_a_cap(service, tmp_path):
    service.tell(CART)
    patient = [{"service": {"threads": RIVALS, "patience_seconds": 30}}]
    with running(tmp_path, patches=patient) as one, running(tmp_path, patches=patient) as other:
        for process in (one, other):
            process.now = service.now
        calls = [("POST", "/v1/decide", decide_body(f"r{n}")) for n in range(RIVALS)]
        under_way = [one.soon(calls[::2]), other.soon(calls[1::2])]
        answers = [answer for future in under_way for answer in future.result()]
    said = [answer.json() for answer in answers]
    sent = [answer for answer in said if answer["action"] == "send"]
    assert len(said) == RIVALS
    assert [answer["email"] for answer in sent] == ["cart_reminder"]
    # Whoever came second saw the first one's reservation, and says so.
    waits = {codes(answer)[0] for answer in said if answer["action"] == "wait"}
    assert waits <= {"cap_24h", "repeat"}


def test_a_promised_mail_holds_its_place_until_its_send_event_can_have_come(service):
    service.tell(CART)
    five_minutes = (service.now + timedelta(minutes=5)).isoformat()
    first = service.decide("r1", deadline=five_minutes)
    assert first["action"] == "send"
    assert datetime.fromisoformat(first["valid_until"]) <= service.now + timedelta(minutes=5)
    service.pass_time(minutes=30)  # it was sent, and nobody has told so yet
    second = service.decide("r2")
    assert (second["action"], codes(second)[0] in {"cap_24h", "repeat"}) == ("wait", True)
    service.pass_time(hours=reservation_hours(service))
    assert service.live.store.promised(now=service.now).is_empty()


def reservation_hours(service):
    return service.live.settings.current.serving.policy.reservation_hours


def test_cancelling_frees_the_place_of_the_mail(service):
    service.tell(CART)
    first = service.decide("r1")
    assert service.decide("r2")["action"] == "wait"
    cancelled = service.post(f"/v1/decisions/{first['decision_id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert service.decide("r3")["action"] == "send"


def test_a_mail_that_was_sent_cannot_be_cancelled(service):
    service.tell(CART)
    sent = service.decide("r1")
    service.tell({"customer_id": "ann", "kind": "send", "decision_id": sent["decision_id"]})
    answer = service.post(f"/v1/decisions/{sent['decision_id']}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "sent")


def test_a_dry_run_leaves_no_trace(service):
    service.tell(CART)
    dry = service.decide("r1", dry_run=True)
    assert dry["action"] == "send"
    assert service.get(f"/v1/decisions/{dry['decision_id']}").status_code == 404
    assert service.get("/v1/customers/ann").json()["recent_decisions"] == []
    assert service.decide("r1")["action"] == "send"  # neither place nor request id is taken


def test_a_customer_never_seen_is_answered_for_the_population(service):
    answer = service.decide("r1", "nobody")
    assert (answer["action"], answer["known_customer"]) == ("wait", False)
    assert {"consent", "unknown_customer"} <= set(codes(answer))


def test_without_models_rules_answer_and_say_so(service):
    answer = service.decide("r1")
    assert answer["degraded"] is True
    assert "degraded" in codes(answer)


def test_an_unsubscribe_known_after_the_clock_was_read_is_seen(service):
    service.tell(CART, {"customer_id": "ann", "kind": "unsubscribe"})
    service.pass_time(hours=-1)  # the clock of this machine steps back
    answer = service.decide("r1")
    assert (answer["action"], codes(answer)[0]) == ("wait", "suppression")


def test_an_email_that_is_not_in_the_catalogue_is_named(service):
    answer = service.post("/v1/decide", decide_body("r1", emails=["welcome", "wellcome"]))
    assert answer.status_code == 422
    assert answer.json()["code"] == "unknown_email"
    assert "wellcome" in answer.json()["found"]
    assert "cart_reminder" in answer.json()["do"]


def test_the_receipt_tells_all_that_was_asked_and_read(service):
    service.tell(CART)
    sent = service.decide("r1", emails=["cart_reminder", "welcome"])
    answer = service.get(f"/v1/decisions/{sent['decision_id']}")
    record = answer.json()
    receipt = record["receipt"]
    assert (record["state"], record["email"]) == ("issued", "cart_reminder")
    assert receipt["asked"] == decide_body("r1", emails=["cart_reminder", "welcome"]) | {
        "dry_run": False
    }
    arms = {arm["email"]: arm for arm in receipt["arms"]}
    assert arms["cart_reminder"]["value"] > 0
    assert arms["welcome"]["applies"] is False
    assert receipt["features"]["cart_items"] == 1
    assert receipt["settings"] == service.live.settings.current.fingerprint
    assert receipt["clock_offset_days"] == 0
    made_by = {"models", "synthetic", "policy", "catalogue", "features", "code"}
    assert set(receipt["versions"]) == made_by


def test_the_clock_can_live_in_the_past(tmp_path):
    with running(tmp_path, patches=[{"clock": {"offset_days": 30}}]) as service:
        answer = service.decide("r1")
        record = service.get(f"/v1/decisions/{answer['decision_id']}").json()
    assert datetime.fromisoformat(record["as_of"]) == NOON - timedelta(days=30)
    assert record["receipt"]["clock_offset_days"] == 30


@pytest.mark.parametrize("given", [{}, {"earliest": "2024-05-02T12:00:00Z"}])
def test_a_batch_answers_as_if_each_were_asked_alone(service, given):
    service.tell(CART)
    bodies = [decide_body("a", **given), {"request_id": "b", "customer_id": "nobody"}]
    dry = [body | {"dry_run": True} for body in bodies]
    together = service.post("/v1/decide/batch", {"requests": dry}).json()["answers"]
    alone = [service.post("/v1/decide", body).json() for body in dry]
    for answer in (*together, *alone):
        del answer["decision_id"]
    assert together == alone


def test_a_batch_answers_item_by_item_faults_included(service):
    service.tell(CART)
    items = [
        decide_body("a"),
        {"customer_id": "ann"},
        decide_body("b"),
        decide_body("c", emails=["wellcome"]),
        decide_body("a"),
        decide_body("a", dry_run=False, emails=["welcome"]),
        "nonsense",
    ]
    answer = service.post("/v1/decide/batch", {"requests": items})
    first, nameless, second, unknown, again, other, nonsense = answer.json()["answers"]
    # The second mail to the same customer sees the place of the first one taken.
    assert (first["action"], second["action"]) == ("send", "wait")
    assert nameless["action"] == "error"
    assert "request_id" in nameless["fault"]["found"]
    assert (unknown["request_id"], unknown["fault"]["code"]) == ("c", "unknown_email")
    assert again == first
    assert other["fault"]["code"] == "request_id_reused"
    assert nonsense["fault"]["code"] == "invalid"


def test_an_answer_has_the_same_bytes_in_a_batch_as_alone(service):
    alone = service.post("/v1/decide", decide_body("a")).content
    together = service.post("/v1/decide/batch", {"requests": [decide_body("a")]}).content
    assert together == b'{"answers":[' + alone + b"]}"
    assert json.loads(together)["answers"][0]["request_id"] == "a"


def test_a_batch_answers_no_more_than_so_many_questions_about_one_customer(service, monkeypatch):
    monkeypatch.setattr("serving.turns.PER_CUSTOMER", 3)
    asked = [decide_body(f"r{n}", dry_run=True) for n in range(5)]
    asked.append({"request_id": "b", "customer_id": "bob"})
    answers = service.post("/v1/decide/batch", {"requests": asked}).json()["answers"]
    assert [answer["action"] for answer in answers] == [*["wait"] * 3, "error", "error", "wait"]
    assert {answer["fault"]["code"] for answer in answers[3:5]} == {"too_many_of_customer"}
    assert [answer["request_id"] for answer in answers[3:]] == ["r3", "r4", "b"]


def test_a_batch_begins_nothing_new_when_its_time_is_up(service):
    service.tell(CART)
    asked = [DecisionRequest(**decide_body(f"r{n}")) for n in range(4)]
    in_time = iter([True, True, False, False])
    outcomes = decide_together(
        asked, service.live, now=service.now, is_in_time=lambda: next(in_time)
    )
    assert [json.loads(outcome)["action"] for outcome in outcomes[:2]] == ["send", "wait"]
    assert outcomes[2:] == [TOO_BUSY, TOO_BUSY]
    assert service.decide("r3")["action"] == "wait"  # nothing was kept of it: it may come again


def test_the_time_limit_of_a_request_is_before_the_servers_own(service):
    patch = {"service": {"timeout_seconds": 1}}
    service.live.store.add_patch(patch, who="test", at=service.now)
    service.live.refresh()
    is_in_time = service.live.time_limit()
    assert is_in_time()
    time.sleep(0.85)
    assert not is_in_time()


def test_a_mail_is_promised_for_30_days_ahead_at_most(service):
    far = (NOON + timedelta(days=29)).isoformat()
    assert service.decide("r1", earliest=far)["action"] == "wait"
    farther = decide_body("r2", earliest="2199-01-01T00:00:00Z", emails=["recommendation"])
    answer = service.post("/v1/decide", farther)
    assert (answer.status_code, answer.json()["code"]) == (422, "earliest_too_far")
    [item] = service.post("/v1/decide/batch", {"requests": [farther]}).json()["answers"]
    assert (item["request_id"], item["fault"]["code"]) == ("r2", "earliest_too_far")


@pytest.mark.parametrize(("minutes", "status"), [(4, 200), (6, 422), (12 * 60, 422)])
def test_a_context_may_be_five_minutes_ahead_as_any_event_may(service, minutes, status):
    at = (NOON + timedelta(minutes=minutes)).isoformat()
    seen = {"events": [{"kind": "cart_add", "product_id": "pen", "at": at}]}
    answer = service.post("/v1/decide", decide_body("r1", context=seen))
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["code"] == "context_too_late"
        assert "more than 5 minutes ahead" in answer.json()["found"]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_what_chance_decided_is_counted(tmp_path, share):
    drawn = {"explore_emails": share, "explore_emails_at_first": share}
    chance = {"policy": {**drawn, "holdout_share": 0.0}}
    with running(tmp_path, patches=[chance]) as service:
        publish(service)
        service.tell(CART)
        service.decide("noon")
        service.decide("seen", dry_run=True)
        counted = service.live.store.left_to_chance()
        assert (counted.decisions, counted.days) == (int(share), 0.0)
        service.pass_time(days=2)
        service.tell(CART)
        service.decide("two days later")
        counted = service.live.store.left_to_chance()
    assert (counted.decisions, counted.days) == (
        2 * int(share),
        pytest.approx(2.0 * share, abs=0.01),
    )
