"""The whole loop on some households: train, rescore, publish, ask, tell, ask again, compact."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from features.lake import Lake
from pipelines.compact import compact
from pipelines.installation import Installation
from pipelines.places import places
from pipelines.publish import publish
from pipelines.rescore import rescore
from pipelines.retrain import TRAINERS, retrain, row_of
from pipelines.settings import load_settings
from serving.models import ModelShelf
from serving.store.store import Store
from tests.serving.api.service import running
from training.registry import Registry, champions

ROOT = Path(__file__).parents[2]
ASKED = 200
# What a decision says; the id and the request differ between a plan and a live answer.
SAID = ("action", "email", "variant", "send_at", "products", "because", "slots", "propensity")


def silent(doing, done, total):
    pass


# Small models: what is tested is the way, not how good they are.
SMALL = {
    "resampling": {"replicates": 200},
    "churn": {"rounds": 40, "train_snapshots": 3, "test_snapshots": 1},
    "send_hour": {"rounds": 20, "train_snapshots": 2},
    "affinity": {"rounds": 20, "train_snapshots": 2},
}


def installation(home):
    at = places({"ONJE_HOME": str(home), "ONJE_SETTINGS": str(ROOT / "onje.toml")})
    settings = load_settings(at.settings_file, patches=[{"training": SMALL}])
    return Installation(at, settings, Lake(at.lake), Store.open(at.store_url, patience_s=5))


@pytest.fixture(scope="module")
def trained(small_home, now, tmp_path_factory):
    """The small lake with champions, as the command line makes them."""
    home = tmp_path_factory.mktemp("trained")
    shutil.copytree(small_home / "lake", home / "lake")
    onje = installation(home)
    done = retrain(
        list(TRAINERS), onje.lake, Registry(home, None), known_until=now, trained_at=now,
        promote=True, settings=onje.settings, step=silent,
    )  # fmt: skip
    yield onje, done
    onje.store.close()


@pytest.fixture
def onje(trained, tmp_path):
    """A copy of the trained installation with a store of its own, published."""
    original, _ = trained
    shutil.copytree(original.places.home / "lake", tmp_path / "lake")
    (tmp_path / "models").symlink_to(original.places.home / "models")
    own = installation(tmp_path)
    yield own
    own.store.close()


def models_of(onje):
    shelf = ModelShelf(onje.places.home)
    shelf.refresh()
    assert not shelf.refused
    return shelf.current


def night(onje, now, out):
    return rescore(
        onje.lake, onje.store, models_of(onje), as_of=now, out=out,
        settings=onje.settings, step=silent,
    )  # fmt: skip


def publish_now(onje, now):
    return publish(onje.lake, onje.store, at=now, settings=onje.settings.features, step=silent)


@contextmanager
def client_at(onje, now):
    """The service on this installation, in process, at a moment of its own."""
    with running(onje.places.home) as service:
        service.now = now
        yield service


def test_every_model_is_recorded_and_judged(trained):
    onje, done = trained
    assert {one.name for one in done} == {m for made in TRAINERS.values() for m in made}
    for one in done:
        assert one.verdict is not None and one.verdict.reasons
        assert row_of(one)["champion"] == one.verdict.promote
    promoted = {one.name for one in done if one.verdict.promote}
    assert set(champions(onje.places.home)) == promoted


def test_the_night_and_the_service_decide_alike(onje, now, tmp_path):
    run = night(onje, now, tmp_path / "out")
    publish_now(onje, now)
    planned = pl.read_parquet(run.folder / "decisions.parquet")
    assert planned["action"].n_unique() == 2, "the households must not all get the same"
    some = planned["customer_id"].head(ASKED).to_list()
    with client_at(onje, now) as client:
        asked = [
            {"request_id": f"parity-{customer}", "customer_id": customer, "dry_run": True}
            for customer in some
        ]
        answers = client.post("/v1/decide/batch", {"requests": asked}).json()["answers"]
        alone = client.post("/v1/decide", asked[0]).json()
        receipts = {
            customer: json.loads(one)
            for customer, one in zip(some, answers_of_plans(onje, planned, some), strict=True)
        }
    for answer in answers:
        plan = receipts[answer["customer_id"]]
        assert {name: answer.get(name) for name in SAID} == {name: plan.get(name) for name in SAID}
    assert {name: alone.get(name) for name in SAID} == {name: answers[0].get(name) for name in SAID}


def answers_of_plans(onje, planned, customers):
    """The plans of these customers, as the service would word them."""
    from serving.receipts import answer_of

    rows = {row["customer_id"]: row for row in planned.rows(named=True)}
    return [answer_of(rows[customer]).model_dump_json() for customer in customers]


def test_scores_of_the_night_are_those_of_the_service(onje, now, tmp_path):
    run = night(onje, now, tmp_path / "out")
    publish_now(onje, now)
    table = pl.read_parquet(run.folder / "scores.parquet").head(20)
    with client_at(onje, now) as client:
        asked = {"customer_ids": table["customer_id"].to_list()}
        answers = client.post("/v1/scores", asked).json()["scores"]
    for answer, row in zip(answers, table.rows(named=True), strict=True):
        assert answer["churn"] == row["churn"]
        assert answer["hours"] == row["hours"] and len(row["hours"]) == 48
        assert answer["categories"] == row["categories"]
        assert answer["products"] == row["products"]
        assert answer["versions"] == json.loads(row["versions"])


def test_the_same_night_again_writes_the_same_bytes(onje, now, tmp_path):
    first = night(onje, now, tmp_path / "one")
    again = night(onje, now, tmp_path / "two")
    assert first.run_id == again.run_id
    for file in ("decisions.parquet", "scores.parquet"):
        assert (first.folder / file).read_bytes() == (again.folder / file).read_bytes()
    assert (tmp_path / "one" / "latest").readlink() == Path(first.run_id)


def test_another_moment_is_another_run_and_the_old_one_stays(onje, now, tmp_path):
    first = night(onje, now, tmp_path)
    later = night(onje, now + timedelta(hours=1), tmp_path)
    assert first.run_id != later.run_id and first.folder.is_dir()
    assert (tmp_path / "latest").resolve() == later.folder.resolve()


def test_a_night_that_fails_leaves_the_old_output(onje, now, tmp_path, monkeypatch):
    first = night(onje, now, tmp_path)

    def disk_full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", disk_full)
    with pytest.raises(OSError, match="No space left"):
        night(onje, now + timedelta(hours=1), tmp_path)
    assert (tmp_path / "latest").resolve() == first.folder.resolve()
    hidden = [folder for folder in tmp_path.iterdir() if folder.name.startswith(".")]
    assert not hidden


def test_a_past_night_knows_nothing_of_what_came_later(onje, now, tmp_path):
    then = now - timedelta(days=120)
    run = night(onje, then, tmp_path)
    assert pl.read_parquet(run.folder / "decisions.parquet")["known_until"].max() <= then


def test_a_live_decision_takes_the_plan_s_place(onje, now, tmp_path):
    run = night(onje, now, tmp_path)
    publish_now(onje, now)
    planned = pl.read_parquet(run.folder / "decisions.parquet").filter(pl.col("action") == "send")
    customer, plan_id = planned["customer_id"][0], planned["decision_id"][0]
    with client_at(onje, now) as client:
        plan = client.get(f"/v1/decisions/{plan_id}").json()
        assert plan["state"] == "issued" and plan["receipt"]["hash"] == planned["hash"][0]
        asked = {"request_id": "live", "customer_id": customer}
        live = client.post("/v1/decide", asked).json()
        assert live["action"] == "send", "a plan reserves nothing"
        receipt = client.get(f"/v1/decisions/{live['decision_id']}").json()["receipt"]
        assert receipt["hash"] == plan["receipt"]["hash"], "it says what was planned"
        assert client.get(f"/v1/decisions/{plan_id}").json()["state"] == "superseded"


def test_an_event_changes_the_next_decision_and_reaches_the_lake_once(onje, now):
    publish_now(onje, now)
    customer = "1"
    product = onje.lake.read("products").filter(pl.col("available"))["product_id"].sort()[0]
    cart = {
        "kind": "cart_add", "customer_id": customer, "product_id": product, "quantity": 1,
        "event_id": "cart-1",
    }  # fmt: skip
    question = {"customer_id": customer, "dry_run": True}
    with client_at(onje, now) as client:
        before = client.post("/v1/decide", {**question, "request_id": "a"}).json()
        assert client.post("/v1/events", {"events": [cart]}).json()["accepted"] == 1
    with client_at(onje, now + timedelta(minutes=5)) as client:
        after = client.post("/v1/decide", {**question, "request_id": "b"}).json()
    assert before.get("email") != "cart_reminder"
    assert after["email"] == "cart_reminder" and product in after["products"]

    events = onje.lake.read("events").height
    assert compact(onje.store, onje.lake, step=silent).inserted == 1
    assert compact(onje.store, onje.lake, step=silent).inserted == 0
    assert onje.lake.read("events").height == events + 1
    publish_now(onje, now)
    with client_at(onje, now + timedelta(minutes=5)) as client:
        again = client.post("/v1/decide", {**question, "request_id": "c"}).json()
    assert {name: again[name] for name in SAID} == {name: after[name] for name in SAID}


def test_the_clock_is_set_next_to_the_data(onje, now):
    from pipelines.demo import with_clock

    moved = with_clock(onje, now=now + timedelta(days=3000))
    assert moved.settings.clock.offset_days in (3000, 2999)
    newest = onje.lake.read("events", columns=["at"])["at"].max()
    behind = now + timedelta(days=3000 - moved.settings.clock.offset_days) - newest
    assert timedelta(days=1) <= behind < timedelta(days=2)
    assert [patch.who for patch in onje.store.patches()] == ["demo"]
    assert with_clock(moved, now=now + timedelta(days=3000)) == moved
    assert replace(moved, settings=onje.settings) == onje
