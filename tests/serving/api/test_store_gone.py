"""The store goes away while the service runs: nobody is mailed, scores go on, and it comes back."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from time import monotonic, sleep

import polars as pl
import pytest

from features.contracts import Spine
from features.lake import Lake
from serving.score_table import score_table
from serving.scores import scores_of
from serving.scoring import view_now
from tests import postgres
from tests.serving.api.service import CART, NOON, publish, running

RECOVERED_S = 10.0


@contextmanager
def moved_away(service, folder):
    """The file is elsewhere for a while, as when its disk is not mounted."""
    parts = [part.name for part in folder.glob("store.db*")]
    for name in parts:
        (folder / name).rename(folder / f"away-{name}")
    yield
    for name in parts:
        (folder / f"away-{name}").rename(folder / name)


@contextmanager
def unwritable(service, folder):
    """The file can be read, not written; as root no mode forbids that."""
    connections = service.live.store._connections
    for may_only_read in ("ON", "OFF"):
        with connections.writer.connect() as connection:
            connection.connection.driver_connection.execute(f"PRAGMA query_only={may_only_read}")
        if may_only_read == "ON":
            yield


@pytest.fixture(params=[moved_away, unwritable, "stopped"])
def gone(request, tmp_path):
    """A service on a published store, and how its store goes away for a while."""
    if request.param != "stopped":
        with running(tmp_path) as service:
            yield service, lambda: request.param(service, tmp_path)
        return
    with postgres.running() as server:

        @contextmanager
        def stopped():
            server.stop()
            yield
            server.start()

        with running(tmp_path, store_url=server.new_database()) as service:
            yield service, stopped


def night(service, home):
    """What the nightly job leaves in the lake, a day before."""
    live = service.live
    in_force = live.settings.current
    as_of = NOON - timedelta(days=1)
    view = view_now(["ann"], live, now=as_of)
    types = {name: column.dtype for name, column in Spine.columns().items()}
    spine = pl.DataFrame({"customer_id": ["ann"], "as_of": [as_of]}, schema=types)
    models = live.models.under(in_force.features)
    found = scores_of(
        spine, view.knowledge, models, settings=in_force.serving, feature_settings=in_force.features
    )
    Lake(home / "lake").replace("scores", score_table(found, models))


def test_without_its_store_the_service_mails_nobody_tells_scores_and_recovers(gone, tmp_path):
    service, goes_away = gone
    publish(service)
    night(service, tmp_path)
    service.tell(CART)
    asked = {"customer_ids": ["ann", "ann"]}
    now = service.post("/v1/scores", asked).json()
    assert now["of_last_night"] is False
    with goes_away():
        for number in range(3):
            answer = service.decide(f"r{number}")
            assert (answer["action"], answer["because"][0]["code"]) == ("wait", "store_unavailable")
        told = service.post("/v1/events", {"events": [CART]})
        assert (told.status_code, told.json()["code"]) == (503, "store_unavailable")
        answer = service.post("/v1/scores", asked)
        assert answer.status_code == 200
        first, second = answer.json()["scores"]
        assert first == second
        assert first["segment"] == now["scores"][0]["segment"]
        if answer.json()["of_last_night"]:
            assert first["as_of"].startswith("2024-04-30") and first["degraded"]
            # One whom the night did not know cannot be told of.
            assert service.post("/v1/scores", {"customer_ids": ["ann", "new"]}).status_code == 503
    began = monotonic()
    while service.decide("r0")["because"][0]["code"] == "store_unavailable":
        assert monotonic() - began < RECOVERED_S
        sleep(0.1)
    assert monotonic() - began < RECOVERED_S
    # What was answered while it was gone was not kept: the same questions are decided now.
    kept = service.get("/v1/customers/ann").json()["recent_decisions"]
    assert len(kept) == 1
    assert service.post("/v1/scores", asked).json()["of_last_night"] is False


def test_a_service_whose_store_was_replaced_is_not_ready_until_it_is_back(tmp_path):
    with running(tmp_path) as service:
        publish(service)
        with moved_away(service, tmp_path):
            assert service.get("/readyz").status_code == 200  # it mails nobody, and this passes
            (tmp_path / "store.db").touch()
            ready = service.get("/readyz")
            assert (ready.status_code, "restart" in ready.text) == (503, True)
            assert service.decide("r1")["because"][0]["code"] == "store_unavailable"
        assert service.get("/readyz").status_code == 200
        assert service.decide("r2")["because"][0]["code"] != "store_unavailable"


def test_scores_are_only_of_the_night_while_the_store_cannot_be_read(tmp_path):
    with running(tmp_path) as service:
        publish(service)
        with moved_away(service, tmp_path):  # there was no night
            answer = service.post("/v1/scores", {"customer_ids": ["ann"]})
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
