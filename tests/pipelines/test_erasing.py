"""An erased customer is in no byte of the installation any more, and others lose nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event

import polars as pl
import pytest
from typer.testing import CliRunner

from features.errors import NotReadyError
from features.lake import Lake
from features.tables import EVENTS
from pipelines import carrying
from pipelines import rescore as night
from pipelines.cli import application
from pipelines.compact import compact
from pipelines.console import silently
from pipelines.effective import effective, read_settings
from pipelines.erasing import has_waiting, keep_out, sweep
from pipelines.ingest.into_lake import ingest_table
from pipelines.installation import Installation
from pipelines.places import places
from pipelines.publish import publish
from pipelines.replay import replay
from pipelines.rescore import ONJE, rescore
from pipelines.root_secret import root_secret
from pipelines.settings import load_settings
from serving.exporting import is_known
from serving.models import NO_MODELS
from serving.store.deliveries import Delivery
from serving.store.store import Store
from serving.valuation import OWN
from tests.serving.api.service import NOON as NOW
from tests.serving.api.service import running

ROOT = Path(__file__).parents[2]
CANARY = "canary-7f3a9c51@example.com"
SECRET = "the root secret of all API tests"
OTHERS = 40
MAPPING = """
source = "old log"
[time]
at = "when"
timezone = "UTC"
known_at = "at"
[event]
kind = { constant = "order" }
channel = { constant = "web" }
customer_id = "who"
order_id = "order_id"
amount = "paid"
currency = "money"
[duplicates]
exact = "drop"
[consent]
how = "unknown"
"""


def opened(home):
    at = places(
        {
            "ONJE_HOME": str(home),
            "ONJE_SETTINGS": str(ROOT / "onje.toml"),
            "ONJE_SECRET": SECRET,
        }
    )
    store = Store.open(at.store_url, patience_s=5, secret=root_secret(at))
    return Installation(at, load_settings(at.settings_file, patches=[]), Lake(at.lake), store)


def bytes_of(home):
    """Every file under the folder, links not followed."""
    return {
        path.relative_to(home): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def files_that_hold(home, text):
    """Files with the text in their bytes, or in a value of a Parquet file, however it is packed."""
    found = set()
    for name, body in bytes_of(home).items():
        if (
            text.encode() in body
            or name.suffix == ".parquet"
            and text in str(pl.read_parquet(home / name).to_dicts())
        ):
            found.add(str(name))
    return found


def some_events(now, customers, day):
    rows = [
        {
            "event_id": f"{kind}-{number}-{day}", "customer_id": customer, "kind": kind,
            "at": now - timedelta(days=day, hours=number % 7), "channel": "email", **more,
        }
        for number, customer in enumerate(customers)
        for kind, more in (
            ("consent", {"reason": "granted"}),
            ("order", {"order_id": f"o{number}-{day}", "amount": "9", "currency": "USD",
                       "product_id": f"p{number % 5}"}),
            ("view", {"product_id": f"p{(number + day) % 5}"}),
        )
    ]  # fmt: skip
    return EVENTS.shape(
        pl.DataFrame(
            [row | {"source": "test"} for row in rows], infer_schema_length=None
        ).with_columns(known_at=pl.col("at"), amount=pl.col("amount").cast(pl.Decimal(18, 4)))
    )


@pytest.fixture
def home(tmp_path):
    """A shop with some versions of its lake, a night, live decisions, rejects and dead ends."""
    home = tmp_path / "home"
    onje = opened(home)
    names = [CANARY, *(f"customer-{number}" for number in range(OTHERS))]
    random.Random(1).shuffle(names)
    for day in (200, 90, 30, 20, 6, 2):
        onje.lake.merge_events(some_events(NOW, names, day))
    onje.lake.tidy("events")
    persons = pl.DataFrame({"customer_id": names, "timezone": "America/New_York"}).with_columns(
        known_at=pl.lit(NOW - timedelta(days=9)).cast(pl.Datetime("us", "UTC"))
    )
    onje.lake.append("customers", persons)
    onje.lake.append(
        "customers", persons.head(5).with_columns(pl.col("known_at").dt.offset_by("1d"))
    )
    shelf = {"product_id": [f"p{n}" for n in range(5)], "available": True, "title": "A mug"}
    onje.lake.append("products", pl.DataFrame(shelf))
    broken = some_events(NOW, names[:30], 1).with_columns(reason=pl.lit("broken"))
    onje.lake.reject("events", broken.filter(pl.col("customer_id").is_in([CANARY, names[1]])))
    publish(onje.lake, onje.store, at=NOW, settings=onje.settings.features, step=silently)
    onje.store.close()
    with running(home) as service:
        for number, customer in enumerate([CANARY, "customer-3"]):
            service.decide(f"before-{number}", customer)
        service.tell({"customer_id": CANARY, "kind": "cart_add", "product_id": "p1"})
        service.decide("after", CANARY)
        answer = service.get(f"/v1/customers/{CANARY}/export")
        assert answer.text.count(CANARY) > 20
    onje = opened(home)
    rescore(
        onje.lake, onje.store, NO_MODELS, as_of=NOW + timedelta(minutes=1),
        out=home / "rescored", settings=onje.settings, policy=ONJE, valuation=OWN, step=silently,
    )  # fmt: skip
    compact(onje.store, onje.lake, step=silently)
    onje.store.close()
    assert len(files_that_hold(home, CANARY)) > 10
    return home


def erase(home):
    with running(home) as service:
        answer = service.send(method="DELETE", url=f"/v1/customers/{CANARY}")
        assert answer.status_code == 202
        return answer.json()


def swept(home):
    onje = opened(home)
    try:
        return sweep(onje.store, [home], at=NOW, step=silently)
    finally:
        onje.store.close()


def replayed(home, decision_id):
    onje = opened(home)
    try:
        return replay(
            decision_id, store=onje.store, lake=onje.lake, home=home,
            fetch=lambda *_: pytest.fail("no model was asked"), today=effective(onje.settings),
            lay=lambda patches: read_settings(onje.places.settings_file, patches), step=silently,
        )  # fmt: skip
    finally:
        onje.store.close()


def test_the_lake_is_handed_out_no_more_though_no_sweep_came_yet(home):
    erase(home)
    assert opened(home).lake.read("events", customers=[CANARY]).height  # else nothing is shown
    with running(home) as service:
        assert service.get(f"/v1/customers/{CANARY}/export").status_code == 404
        service.pass_time(seconds=300)
        service.tell({"customer_id": CANARY, "kind": "signup", "product_id": None})
        told = service.get(f"/v1/customers/{CANARY}/export").json()
        assert [one["kind"] for one in told["events"]] == ["signup"]
        assert (told["person"], told["scores"], told["decisions"]) == ([], [], [])
        page = service.send(method="DELETE", url="/v1/customers/customer-7")
        assert page.json()["known"] is True


def test_whom_only_the_lake_holds_is_known(home):
    onje = opened(home)
    asked = {"store": onje.store, "lake_root": onje.lake.root}
    alone = some_events(NOW, ["lake-alone"], 3)
    onje.lake.merge_events(alone)
    assert [is_known(one, **asked) for one in ("lake-alone", "nobody")] == [True, False]
    onje.store.close()


def test_no_byte_of_the_installation_holds_them(home):
    name = erase(home)["name"]
    done = swept(home)

    assert (done.erasures, done.files > 5, done.lake_rows > 20) == (1, True, True)
    assert files_that_hold(home, CANARY) == set()
    assert files_that_hold(home, CANARY.split("@")[0]) == set()
    assert files_that_hold(home, name) >= {"store.db"}
    assert not has_waiting((onje := opened(home)).store)
    onje.store.close()
    assert swept(home).erasures == 0


def test_others_keep_every_row_of_every_version_and_replay_as_before(home):
    lake = Lake(home / "lake")
    before = {
        (table, version): lake.read(table, version=version)
        for table, newest in lake.versions().items()
        for version in range(newest + 1)
    }
    with running(home) as service:
        service.decide("before-1", "customer-3")
        theirs = service.get("/v1/customers/customer-3").json()["recent_decisions"]
    ids = [one["decision_id"] for one in theirs]
    told = {one: replayed(home, one) for one in ids}

    erase(home)
    swept(home)

    assert lake.versions() == {t: max(v for u, v in before if u == t) for t, _ in before}
    for (table, version), rows in before.items():
        if "customer_id" in rows.columns:
            rows = rows.filter(pl.col("customer_id") != CANARY)
        elif table == "rejected":
            rows = rows.filter(~pl.col("row").str.contains(CANARY, literal=True))
        now = lake.read(table, version=version)
        assert now.sort(pl.all()).equals(rows.sort(pl.all())), (table, version)
    assert len(ids) == 2  # one live, one of the night
    for one in ids:
        assert (told[one].equal, replayed(home, one)) == (True, told[one])


def test_the_lake_is_written_on_as_before(home):
    erase(home)
    swept(home)
    lake = Lake(home / "lake")
    rows = lake.read("events").height
    earlier = some_events(NOW, ["customer-3"], 2).with_columns(
        pl.col("known_at").dt.offset_by("-1h")
    )
    # A row whose known_at is earlier goes through Delta's own merge, which reads sizes in the log.
    lake.merge_events(
        lake.read("events")
        .filter(pl.col("kind") == "view")
        .head(3)
        .with_columns(pl.col("known_at").dt.offset_by("-1h"), at=pl.col("at").dt.offset_by("-2h"))
    )
    lake.merge_events(earlier.with_columns(event_id=pl.lit("new ") + pl.col("event_id")))
    assert lake.read("events").height == rows + 3
    lake.tidy("events")
    assert lake.read("events").height == rows + 3


def test_an_old_log_does_not_bring_them_back(home, tmp_path):
    erase(home)
    swept(home)
    onje = opened(home)
    file = tmp_path / "old.csv"
    rows = ((who, f"2024-0{month}-01T10:00:00Z") for who in (CANARY, "bob") for month in (1, 2, 3))
    lines = [f"o{n},{who},{at},9.5,USD,p1" for n, (who, at) in enumerate(rows)]
    file.write_text("\n".join(["order_id,who,when,paid,money,what", *lines]))
    mapping = tmp_path / "map.toml"
    mapping.write_text(MAPPING)
    report = ingest_table(
        onje.lake, file, mapping, NOW, silently, lambda ingested: keep_out(onje.store, ingested)
    )
    assert report.as_dict()["inputs"][0]["became"] == {"order": 3, "of an erased customer": 3}
    onje.store.close()
    shutil.rmtree(home / "lake" / "rejected", ignore_errors=True)
    assert files_that_hold(home, CANARY) == set()

    # Past every door: straight into the lake, as a copy of it from before would come.
    Lake(home / "lake").merge_events(some_events(NOW, [CANARY], 3))
    assert swept(home).lake_rows == 3
    assert files_that_hold(home, CANARY) == set()


@pytest.mark.parametrize("round_", range(2))
def test_a_kill_at_any_point_leaves_all_or_nothing_of_a_table_and_is_made_good(home, round_):
    erase(home)
    others = Lake(home / "lake").read("events").filter(pl.col("customer_id") != CANARY)
    work = (
        "from tests.pipelines.test_erasing import swept; from pathlib import Path; import sys;"
        "print('go', flush=True); swept(Path(sys.argv[1]))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", work, str(home)], stdout=subprocess.PIPE, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    with child:
        child.stdout.readline()
        try:
            child.wait(timeout=random.Random(round_).uniform(0.05, 0.8))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
    found = Lake(home / "lake").read("events").filter(pl.col("customer_id") != CANARY)
    assert found.sort("event_id").equals(others.sort("event_id"))
    swept(home)
    assert files_that_hold(home, CANARY) == set()
    assert not list((home / "lake").glob(".*"))


def test_a_log_without_its_beginning_is_told_of(home):
    erase(home)
    log = home / "lake" / "events" / "_delta_log"
    from deltalake import DeltaTable

    DeltaTable(str(home / "lake" / "events")).create_checkpoint()
    (log / f"{0:020d}.json").unlink()
    with pytest.raises(NotReadyError, match="does not begin with its first version"):
        swept(home)


def test_the_command_line_erases_lists_and_exports(home, tmp_path, monkeypatch):
    monkeypatch.setenv("ONJE_HOME", str(home))
    monkeypatch.setenv("ONJE_SECRET", SECRET)
    monkeypatch.setenv("ONJE_SETTINGS", str(ROOT / "onje.toml"))
    run = CliRunner()
    out = tmp_path / "canary.json"
    said = run.invoke(
        application("export-customer"), ["export-customer", CANARY, "--out", str(out), "--json"]
    )
    assert said.exit_code == 0, said.output
    told = json.loads(out.read_text())
    assert (told["customer_id"], len(told["events"])) == (CANARY, 19)
    assert out.stat().st_mode & 0o777 == 0o600
    assert told["scores"] and told["person"] and told["decisions"][0]["receipt"]

    said = run.invoke(application("erase"), ["erase", CANARY, "canry", "--json"])
    assert json.loads(said.stdout)["erasures"] == 2
    assert "nothing was ever told of 'canry'" in said.stderr
    assert files_that_hold(home, CANARY) == set()
    listed = json.loads(run.invoke(application("erase"), ["erase", "--list", "--json"]).output)
    one = listed[0]
    assert (len(one["name"]), one["again_at"], bool(one["swept_at"])) == (64, None, True)
    refused = run.invoke(
        application("export-customer"), ["export-customer", CANARY, "--out", str(out)]
    )
    assert isinstance(refused.exception, NotReadyError)


def erased_and_swept_meanwhile(onje, home):
    """Another process erases them and sweeps, which ends only when whoever is at it lets it."""
    onje.store.erase(CANARY, at=NOW)
    waits = Event()

    def step(doing, _done, _total):
        if doing == carrying.WAITING:
            waits.set()

    pool = ThreadPoolExecutor(1)
    done = pool.submit(sweep, onje.store, [home], at=NOW, step=step)
    assert waits.wait(20) or done.done()
    return pool, done


@pytest.mark.parametrize("way", ["compact", "ingest"])
def test_who_carries_data_while_they_are_erased_brings_nobody_back(
    home, tmp_path, monkeypatch, way
):
    onje = opened(home)
    under_way = []

    def then_erased(real):
        """They are erased when it was asked who was, and before anything is written."""

        def merge(lake, events):
            if not under_way:
                under_way.append(erased_and_swept_meanwhile(onje, home))
            return real(lake, events)

        return merge

    monkeypatch.setattr(Lake, "merge_events", then_erased(Lake.merge_events))
    if way == "compact":
        onje.store.append_events(some_events(NOW, [CANARY, "bob"], 1))
        compact(onje.store, onje.lake, step=silently)
    else:
        file, mapping = tmp_path / "old.csv", tmp_path / "map.toml"
        mapping.write_text(MAPPING)
        lines = [f"o{who},{who},2024-01-01T10:00:00Z,9.5,USD,p1" for who in (CANARY, "bob")]
        file.write_text("\n".join(["order_id,who,when,paid,money,what", *lines]))
        ingest_table(
            onje.lake, file, mapping, NOW, silently, lambda given: keep_out(onje.store, given)
        )
    [(pool, done)] = under_way
    assert done.result(60).erasures == 1
    pool.shutdown()
    assert CANARY not in onje.lake.read("events")["customer_id"]
    assert "bob" in onje.lake.read("events")["customer_id"]
    onje.store.close()
    shutil.rmtree(home / "lake" / "rejected", ignore_errors=True)
    assert files_that_hold(home, CANARY) == set()


def test_a_night_that_was_deciding_while_they_were_erased_writes_nothing_of_them(home, monkeypatch):
    onje = opened(home)
    real = night.within

    def meanwhile(decisions, *more):
        assert CANARY in decisions["customer_id"]
        onje.store.erase(CANARY, at=NOW)
        assert sweep(onje.store, [home], at=NOW, step=silently).erasures == 1
        return real(decisions, *more)

    monkeypatch.setattr(night, "within", meanwhile)
    done = rescore(
        onje.lake, onje.store, NO_MODELS, as_of=NOW + timedelta(minutes=2),
        out=home / "rescored", settings=onje.settings, policy=ONJE, valuation=OWN, step=silently,
    )  # fmt: skip
    onje.store.close()
    assert (done.in_force, done.customers) == (True, OTHERS)
    assert files_that_hold(home, CANARY) == set()


def test_the_sweep_takes_what_nobody_parses(home):
    onje = opened(home)
    body = json.dumps({"id": CANARY}).encode()
    onje.store.keep_deliveries([Delivery("gone", NOW - timedelta(days=8), {}, body)])
    onje.store.erase(CANARY, at=NOW)
    onje.store.close()
    swept(home)
    assert files_that_hold(home, CANARY) == set()
