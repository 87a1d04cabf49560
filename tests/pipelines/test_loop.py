"""The whole loop on some households: train, rescore, publish, ask, tell, ask again, compact."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from features.errors import NotReadyError
from features.history import to_history
from features.lake import Lake
from pipelines import serve
from pipelines.cli import application
from pipelines.compact import compact
from pipelines.console import silently
from pipelines.demo import ask, prepare, receipt_of, titles_of, told, with_clock
from pipelines.doctor import mend
from pipelines.effective import effective
from pipelines.installation import Installation
from pipelines.keys import demo_key
from pipelines.models import MODELS, TRAINERS
from pipelines.places import places
from pipelines.publish import publish
from pipelines.replay import replay, said
from pipelines.rescore import ONJE, rescore
from pipelines.retrain import Retrained, Skipped, data_until, retrain, row_of
from pipelines.settings import load_settings
from serving.answer import decisions_of
from serving.invariants import BrokenInvariant
from serving.models import ModelShelf
from serving.store.store import Store
from serving.valuation import OWN
from tests.serving.api.service import running
from training.model.model import Model
from training.registry import Registry, champions

ROOT = Path(__file__).parents[2]
ASKED = 200
# What a decision says; the id and the request differ between a plan and a live answer.
SAID = ("action", "email", "variant", "send_at", "products", "because", "slots", "propensity")


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
        promote=True, settings=onje.settings, step=silently,
    )  # fmt: skip
    for one in done:  # so few households may be too few for the gate; the loop needs all models
        if isinstance(one, Retrained) and not one.verdict.promote:
            Registry(home, None).promote(
                one.name, version=one.version, force_reason="a test of the loop",
                settings=onje.settings.training.resampling,
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
    shelf.refresh(onje.settings.features)
    assert not shelf.refused
    return shelf.current


def night(onje, now, out):
    return rescore(
        onje.lake, onje.store, models_of(onje), as_of=now, out=out,
        settings=onje.settings, policy=ONJE, valuation=OWN, step=silently,
    )  # fmt: skip


def publish_now(onje, now):
    return publish(onje.lake, onje.store, at=now, settings=onje.settings.features, step=silently)


@contextmanager
def client_at(onje, now):
    """The service on this installation, in process, at a moment of its own."""
    with running(onje.places.home) as service:
        service.now = now
        yield service


def test_every_model_is_recorded_and_judged(trained):
    onje, done = trained
    assert {one.name for one in done} == set(MODELS)
    learnt = [one for one in done if isinstance(one, Retrained)]
    # These households get mail, and nothing is known of what they answer.
    answers = {"email-dormancy", "response-click", "response-order", "response-unsubscribe"}
    assert {one.name for one in done} - {one.name for one in learnt} == answers
    for one in learnt:
        assert one.verdict is not None and one.verdict.reasons
        assert row_of(one)["champion"] == one.verdict.promote
        assert row_of(one)["synthetic"] is False
    assert set(champions(onje.places.home)) == {one.name for one in learnt}
    assert not models_of(onje).missing


def test_the_night_and_the_service_decide_alike(onje, now, tmp_path):
    run = night(onje, now, tmp_path / "out")
    assert not run.synthetic and not publish_now(onje, now).synthetic
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
    from serving.receipts import answer_of, no_links

    rows = {row["customer_id"]: row for row in planned.rows(named=True)}
    return [answer_of(rows[customer], no_links).model_dump_json() for customer in customers]


def test_scores_of_the_night_are_those_of_the_service(onje, now, tmp_path):
    run = night(onje, now, tmp_path / "out")
    publish_now(onje, now)
    table = pl.read_parquet(run.folder / "scores.parquet").head(20)
    with client_at(onje, now) as client:
        asked = {"customer_ids": table["customer_id"].to_list()}
        answers = client.post("/v1/scores", asked).json()["scores"]
    for answer, row in zip(answers, table.rows(named=True), strict=True):
        told = row | {"versions": json.loads(row["versions"])}
        moments = ("as_of", "dormant_on")
        assert {k: v for k, v in answer.items() if k not in moments} == {
            k: v for k, v in told.items() if k not in moments
        }
        for name in moments:
            said = answer[name]
            assert (said and datetime.fromisoformat(said)) == row[name]
        assert len(answer["hours"]) == 48
        assert answer["hour_evidence"] == "activity"


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


def test_another_policy_is_another_run(onje, now, tmp_path):
    def nobody(instants):
        return instants.with_columns(worth=pl.lit(None, pl.Float64)).get_column("worth")

    usual = night(onje, now, tmp_path)
    other = rescore(
        onje.lake, onje.store, models_of(onje), as_of=now, out=tmp_path,
        settings=onje.settings, policy="nobody", valuation=nobody, step=silently,
    )  # fmt: skip
    assert usual.send > 0 == other.send
    assert other.run_id != usual.run_id


def test_a_night_that_fails_leaves_the_old_output(onje, now, tmp_path, monkeypatch):
    first = night(onje, now, tmp_path)

    def disk_full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", disk_full)
    with pytest.raises(NotReadyError, match="No space left"):
        night(onje, now + timedelta(hours=1), tmp_path)
    assert (tmp_path / "latest").resolve() == first.folder.resolve()
    hidden = [folder for folder in tmp_path.iterdir() if folder.name.startswith(".")]
    assert not hidden


def test_a_night_with_a_row_that_must_never_be_publishes_nothing(onje, now, tmp_path, monkeypatch):
    out = tmp_path / "out"
    first = night(onje, now, out)
    plans = onje.lake.read("scores").height, onje.store.conditions()

    def with_a_fault(*args, **kwargs):
        made = decisions_of(*args, **kwargs)
        shown = pl.lit(["no such product"], pl.List(pl.String))
        is_send = pl.col("action") == "send"
        return made.with_columns(products=pl.when(is_send).then(shown).otherwise("products"))

    monkeypatch.setattr("pipelines.everybody.decisions_of", with_a_fault)
    with pytest.raises(BrokenInvariant, match="nothing is published.*I6 products can be offered"):
        night(onje, now + timedelta(hours=1), out)
    assert (out / "latest").resolve() == first.folder.resolve()
    assert {entry.name for entry in out.iterdir()} == {first.folder.name, "latest"}
    assert (onje.lake.read("scores").height, onje.store.conditions()) == plans


def test_what_was_told_online_counts_at_night(onje, now, tmp_path):
    publish_now(onje, now)
    before = pl.read_parquet(night(onje, now, tmp_path).folder / "decisions.parquet")
    customer = before.filter(pl.col("action") == "send")["customer_id"][0]
    gone = {"kind": "unsubscribe", "customer_id": customer}
    with client_at(onje, now) as client:
        assert client.post("/v1/events", {"events": [gone]}).json()["accepted"] == 1
    later = night(onje, now + timedelta(minutes=1), tmp_path)
    after = pl.read_parquet(later.folder / "decisions.parquet")
    row = after.row(by_predicate=pl.col("customer_id") == customer, named=True)
    assert row["action"] == "wait"


def test_a_long_history_looks_the_same_at_night_and_live(onje, now, tmp_path, monkeypatch):
    """Beyond `newest_events` events are forgotten, by both alike; a mail sent lately is not."""
    # Models trained on longer histories would be refused, and rules compared in their stead.
    monkeypatch.setattr(Model, "misfit", lambda _self, _features: None)
    short = onje.settings.features.model_copy(update={"newest_events": 50})
    onje = replace(onje, settings=onje.settings.model_copy(update={"features": short}))
    onje.store.add_patch({"features": {"newest_events": 50}}, who="test", at=now)
    run = night(onje, now, tmp_path)
    publish_now(onje, now)
    planned = pl.read_parquet(run.folder / "decisions.parquet")
    some = planned["customer_id"].head(50).to_list()
    asked = [{"request_id": f"p{c}", "customer_id": c, "dry_run": True} for c in some]
    with client_at(onje, now) as client:
        answers = client.post("/v1/decide/batch", {"requests": asked}).json()["answers"]
    for answer, plan in zip(answers, answers_of_plans(onje, planned, some), strict=True):
        plan = json.loads(plan)
        assert {name: answer.get(name) for name in SAID} == {name: plan.get(name) for name in SAID}


def test_days_of_which_nothing_is_known_teach_nothing(onje, now):
    products = onje.lake.read("products")
    history = to_history(onje.lake.read("events"), products, settings=onje.settings.features)
    newest = history["known_at"].max()
    assert data_until(history, now + timedelta(days=10)) == newest
    assert data_until(history, newest - timedelta(days=30)) <= newest - timedelta(days=30)
    with pytest.raises(NotReadyError, match="later time"):
        data_until(history, now - timedelta(days=9999))


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


def test_a_decision_is_replayed_by_the_models_of_then(onje, now):
    """Later there are other champions; a version that nobody has any more is named."""
    home = onje.places.home
    originals = (home / "models").resolve()
    (home / "models").unlink()
    shutil.copytree(originals, home / "models")
    publish_now(onje, now)
    with client_at(onje, now) as client:
        made = [client.decide(f"q{n}", str(n))["decision_id"] for n in (1, 2)]
    churn = home / "models" / "churn"
    version = (churn / "champion").read_text().strip()
    shutil.copytree(churn / version, churn / "99")
    (churn / "champion").write_text("99")
    again = partial(
        replay, store=onje.store, lake=onje.lake, home=home, fetch=Registry(home, None).fetch,
        today=effective(onje.settings), lay=None, step=silently,
    )  # fmt: skip
    for decision in made:
        done = again(decision)
        assert done.equal, said(done)
    shutil.rmtree(churn / version)
    done = again(made[0])
    assert not done.equal
    assert any(note.startswith(f"version {version} of model churn is gone") for note in done.notes)
    assert "versions.models.churn" in [one.where for one in done.differences]


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
    assert compact(onje.store, onje.lake, step=silently).inserted == 1
    assert compact(onje.store, onje.lake, step=silently).inserted == 0
    assert onje.lake.read("events").height == events + 1
    publish_now(onje, now)
    with client_at(onje, now + timedelta(minutes=5)) as client:
        again = client.post("/v1/decide", {**question, "request_id": "c"}).json()
    assert {name: again[name] for name in SAID} == {name: after[name] for name in SAID}


def test_the_demo_ends_in_a_decision_that_a_person_can_read(onje, now, monkeypatch):
    """From data to answer with the real service; the models are there already."""
    at = replace(onje.places, port=3977)
    ready = prepare(
        replace(onje, places=at), ingest=lambda lake, step: None,
        now=now + timedelta(days=3000), step=silently,
    )  # fmt: skip
    assert "train" in ready.seconds and ready.customer_id != ready.another_id
    key = demo_key(ready.onje.store, now=datetime.now(UTC))
    with serve.running(at, log=at.home / "service.log", service=serve.SERVICE) as service:
        address = service.address
        decision = ask(address, key, ready.customer_id)
        receipt = receipt_of(address, key, decision["decision_id"])
        again = ask(address, key, ready.customer_id)
    text = told(decision, receipt, titles_of(onje.lake))
    assert decision["action"] == "send" and f"Send    {decision['email']}" in text
    assert decision["because"][0]["text"] in text
    assert f"{receipt['clock_offset_days']:,.0f} days behind" in text
    assert "demo-assumption" in text
    if again["action"] == "send":  # one mail is promised already, and another keeps its distance
        apart = [datetime.fromisoformat(one["send_at"]) for one in (decision, again)]
        assert abs(apart[0] - apart[1]) >= timedelta(hours=onje.settings.caps.all.min_gap_hours)
    said = {"send": "Send", "wait": "Wait"}[again["action"]]
    assert said in told(again, receipt, titles_of(onje.lake))


def test_the_demo_leaves_a_shop_alone(onje, now):
    theirs = (
        onje.lake.read("events")
        .head(1)
        .with_columns(event_id=pl.lit("theirs"), source=pl.lit("my-shop"))
    )
    onje.lake.merge_events(theirs)
    with pytest.raises(NotReadyError, match="events of my-shop.*set ONJE_HOME"):
        prepare(onje, ingest=lambda lake, step: None, now=now, step=silently)


def test_a_damaged_champion_is_brought_back(trained):
    onje, done = trained
    damaged = champions(onje.places.home)["churn"] / "model.lgb"
    damaged.write_text(damaged.read_text()[:1000])
    shelf = ModelShelf(onje.places.home)
    shelf.refresh(onje.settings.features)
    assert "churn" in shelf.refused and shelf.current.churn is None
    assert mend(onje) == ["churn"]
    assert models_of(onje).churn is not None
    assert mend(onje) == []


def test_what_cannot_be_trained_is_skipped_with_its_reason(onje, now):
    """A shop that names no categories trains everything else."""
    shelf = onje.lake.read("products").with_columns(category=pl.lit(None, pl.String))
    onje.lake.replace("products", shelf)
    done = retrain(
        ["affinity"], onje.lake, Registry(onje.places.home / "own", None), known_until=now,
        trained_at=now, promote=False, settings=onje.settings, step=silently,
    )  # fmt: skip
    by_name = {one.name: one for one in done}
    assert isinstance(by_name["affinity-category"], Skipped)
    assert not isinstance(by_name["affinity-product"], Skipped)
    rows = [row_of(one) for one in done]
    assert rows[0].keys() == rows[1].keys() and "has a category" in rows[0]["gate"]


def test_a_challenger_that_is_no_better_ends_in_exit_code_3(trained, monkeypatch):
    onje, done = trained
    churn = next(one for one in done if one.name == "churn")
    registry = Registry(onje.places.home, None)
    registry.record(churn.trained)
    monkeypatch.setenv("ONJE_HOME", str(onje.places.home))
    refused = CliRunner().invoke(application("promote"), ["promote", "churn", "--json"])
    assert refused.exit_code == 3
    assert json.loads(refused.stdout)["promoted"] is False
    shown = CliRunner().invoke(application("evaluate"), ["evaluate", "churn", "--json"])
    rows = json.loads(shown.stdout)
    assert {row["is"] for row in rows} == {"champion", "challenger"}
    reason = ["promote", "churn", "--force", "a test", "--json"]
    assert CliRunner().invoke(application("promote"), reason).exit_code == 0
    back = CliRunner().invoke(application("rollback"), ["rollback", "churn", "--json"])
    assert json.loads(back.stdout)["champion"] == churn.version


def test_the_clock_is_set_next_to_the_data(onje, now):
    moved = with_clock(onje, now=now + timedelta(days=3000))
    assert moved.settings.clock.offset_days in (3000, 2999)
    newest = onje.lake.read("events", columns=["at"])["at"].max()
    behind = now + timedelta(days=3000 - moved.settings.clock.offset_days) - newest
    assert timedelta(days=1) <= behind < timedelta(days=2)
    assert [patch.who for patch in onje.store.patches()] == ["demo"]
    assert with_clock(moved, now=now + timedelta(days=3000)) == moved
    assert replace(moved, settings=onje.settings) == onje
