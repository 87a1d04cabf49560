from __future__ import annotations

import threading

from anyio.from_thread import start_blocking_portal

from tests.serving.api.service import Service


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


def test_whoever_comes_while_the_service_starts_is_told_so(tmp_path, monkeypatch):
    begun, may_go_on = threading.Event(), threading.Event()

    def slow(_live):
        begun.set()
        assert may_go_on.wait(20)

    monkeypatch.setattr("serving.app.warm_up", slow)
    with start_blocking_portal() as portal:
        service = Service(tmp_path, portal)
        service.key = "none yet"
        context = service.app.router.lifespan_context(service.app)
        started = portal.start_task_soon(context.__aenter__)
        assert begun.wait(20)
        for way, path in (("POST", "/v1/decide"), ("GET", "/v1/nothing"), ("GET", "/metrics")):
            [answer] = service.at_once([(way, path, None)])
            assert (answer.status_code, answer.json()["code"]) == (503, "starting"), path
            assert answer.headers["Retry-After"] == "1" and answer.headers["X-Request-Id"]
        assert service.get("/livez").status_code == 200
        assert service.get("/readyz").status_code == 503
        may_go_on.set()
        started.result(20)
        assert service.get("/readyz").status_code == 200
        portal.call(context.__aexit__, None, None, None)
