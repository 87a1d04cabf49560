from __future__ import annotations

import logging

from tests.serving.api.service import CART, NOON


def test_a_patch_in_the_store_is_in_force_after_the_next_look(service):
    service.tell(CART)
    before = service.live.settings.current.fingerprint
    patch = {"emails": {"cart_reminder": {"enabled": False}}}
    service.live.store.add_patch(patch, who="mina", at=NOON)
    service.live.refresh()
    answer = service.decide("r1")
    record = service.get(f"/v1/decisions/{answer['decision_id']}").json()
    assert answer["action"] == "wait"
    assert record["receipt"]["settings"] == service.live.settings.current.fingerprint != before


def test_a_patch_taken_back_is_out_of_force_after_the_next_look(service):
    before = service.live.settings.current.fingerprint
    store = service.live.store
    version = store.add_patch({"policy": {"fatigue": 0.9}}, who="mina", at=NOON)
    service.live.refresh()
    assert service.live.settings.current.fingerprint != before
    store.undo_patch(version, who="joon", at=NOON)
    service.live.refresh()
    assert service.live.settings.current.fingerprint == before


def test_a_patch_that_cannot_be_used_leaves_everything_as_it_was(service):
    before = service.live.settings.current
    service.live.store.add_patch({"caps": {"marketing": {"per_24h": "many"}}}, who="mina", at=NOON)
    service.live.refresh()
    service.live.refresh()
    assert service.live.settings.current is before
    assert "per_24h" in service.live.settings.refused
    counted = 'onje_refused_total{what="settings"} 1.0'  # told once, not every few seconds
    assert counted in service.get("/metrics").text
    service.live.store.add_patch({"caps": {"marketing": {"per_24h": 1}}}, who="mina", at=NOON)
    service.live.refresh()
    assert service.live.settings.refused is None


def test_settings_are_looked_at_by_themselves(service):
    patch = {"policy": {"fatigue": 0.9}}
    service.live.store.add_patch(patch, who="mina", at=NOON)
    for _ in range(100):
        service.wait(0.1)
        if service.live.settings.current.serving.policy.fatigue == 0.9:
            break
    assert service.live.settings.current.serving.policy.fatigue == 0.9


REFUSED = {"emails": {"Mine-Mail": {"trigger": "welcome", "parameters": {}}}}


def test_the_running_loop_outlives_settings_that_cannot_be_used(service):
    store = service.live.store
    version = store.add_patch(REFUSED, who="mina", at=NOON)
    service.wait(0.6)
    assert "such as mine_mail" in service.live.settings.refused
    assert 'onje_refused_total{what="settings"} 1.0' in service.get("/metrics").text
    store.undo_patch(version, who="joon", at=NOON)
    store.add_patch({"policy": {"fatigue": 0.9}}, who="joon", at=NOON)
    service.wait(0.6)
    assert service.live.settings.current.serving.policy.fatigue == 0.9


def test_the_running_loop_outlives_a_fault_of_its_own_and_tells_it_once(
    service, monkeypatch, caplog
):
    def broken(_):
        raise ZeroDivisionError("of its own")

    with monkeypatch.context() as patched:
        patched.setattr(service.live.settings, "_read", broken)
        service.wait(0.7)
    [told] = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert "stay as they are" in told.message and "of its own" in caplog.text
    counts = service.get("/metrics").text.partition('onje_refused_total{what="refresh"} ')[2]
    assert float(counts.split("\n")[0]) >= 2
    service.live.store.add_patch({"policy": {"fatigue": 0.8}}, who="mina", at=NOON)
    service.wait(0.6)
    assert service.live.settings.current.serving.policy.fatigue == 0.8
