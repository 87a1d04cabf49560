from __future__ import annotations


def count(service, route, status):
    labels = {"route": route, "status": str(status)}
    return service.live.registry.get_sample_value("onje_request_seconds_count", labels)


def test_requests_are_counted_by_route_and_status(service):
    for customer_id in ("ann", "ann", "b/c"):
        service.get(f"/v1/customers/{customer_id}")
    service.get("/v1/decide")
    service.post("/v1/nothing/ann")
    assert count(service, "/v1/customers/{customer_id}", 200) == 2
    assert count(service, "/v1/customers/{customer_id}", 404) == 1
    assert count(service, "/v1/decide", 405) == 1
    assert count(service, "none", 404) == 1
    assert "ann" not in service.get("/metrics").text
