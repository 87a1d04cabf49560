from __future__ import annotations

from serving.warm_up import warm_up
from tests.serving.api.service import CART


def test_a_page_about_a_customer(service):
    service.tell(CART)
    decided = service.decide("r1")
    page = service.get("/v1/customers/ann").json()
    assert (page["customer_id"], page["timezone"]) == ("ann", "America/New_York")
    assert page["events"] == 4
    assert page["last_event_at"] == "2024-05-01T14:00:00Z"
    assert page["permission"]["email_consent"] == "granted"
    assert page["permission"]["suppressed_by"] is None
    [recent] = page["recent_decisions"]
    assert (recent["decision_id"], recent["state"]) == (decided["decision_id"], "issued")
    assert page["scores"]["known_customer"] is True


def test_scores_come_in_the_order_asked_for_and_for_strangers_too(service):
    answer = service.post("/v1/scores", {"customer_ids": ["nobody", "ann", "nobody"]}).json()
    assert [score["customer_id"] for score in answer["scores"]] == ["nobody", "ann", "nobody"]
    nobody, ann, _ = answer["scores"]
    assert (nobody["known_customer"], ann["known_customer"]) == (False, True)
    assert len(ann["hours"]) == 48
    assert {hour["source"] for hour in ann["hours"]} == {"default"}
    assert ann["hour_evidence"] is None
    assert ann["products"][0]["item"] == "mug"
    assert (ann["churn"], ann["degraded"]) == (None, True)
    assert ann["versions"]["churn"] is None


def test_dry_runs_and_the_warm_up_are_not_counted_as_decisions(service):
    service.decide("r1", dry_run=True)
    warm_up(service.live)
    assert "onje_decisions_total{" not in service.get("/metrics").text
    service.decide("r1")
    assert 'reason="nothing_applies"} 1.0' in service.get("/metrics").text


def test_health_and_figures(service):
    service.decide("r1")
    assert service.get("/livez").status_code == 200
    ready = service.get("/readyz")
    assert (ready.status_code, "churn" in ready.text) == (200, True)
    health = service.get("/v1/health").json()
    assert (health["state"], health["do"]) == ("degraded", "onje doctor")
    assert "churn" in health["missing_models"] and health["refused_models"] == []
    assert health["versions"]["churn"] is None
    assert 'onje_decisions_total{action="wait"' in service.get("/metrics").text
    assert service.get("/v1/docs").status_code == 200
