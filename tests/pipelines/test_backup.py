"""A backup is of one moment, whoever writes meanwhile, and brings back the same installation."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from time import sleep

import polars as pl
import pytest
from sqlalchemy import select

from features.errors import DamagedError, NotReadyError, SettingsError
from features.lake import Lake
from pipelines.backup import back_up, files_of
from pipelines.console import silently
from pipelines.installation import Installation
from pipelines.places import places
from pipelines.restore import restore
from pipelines.root_secret import root_secret
from pipelines.settings import load_settings
from serving.store import Kept, Store
from serving.store.tables import metadata
from tests.serving.store.rows import NOW, customers, event, events, history, products, record

SETTINGS = Path(__file__).parents[2] / "onje.toml"
LATER = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


def installation(home, store_url=None):
    environment = {"ONJE_HOME": str(home), "ONJE_SETTINGS": str(SETTINGS)}
    at = places(environment | ({"ONJE_STORE_URL": store_url} if store_url else {}))
    home.mkdir(parents=True, exist_ok=True)
    store = Store.open(at.store_url, patience_s=10.0, secret=root_secret(at))
    return Installation(at, load_settings(SETTINGS, []), Lake(at.lake), store)


@pytest.fixture
def onje(tmp_path, store_url):
    """With a past, events, decisions, a patch, a lake and a model's folder."""
    onje = installation(tmp_path / "home", store_url)
    store = onje.store
    past = [event("h1", hours_ago=99), event("h2", "bob", hours_ago=50)]
    store.publish(
        history(*past),
        customers({"customer_id": "ann", "timezone": "Asia/Seoul"}),
        products({"product_id": "mug", "price": "12.5", "currency": "USD"}),
        newest_events=50,
        compaction=0,
        about={"lake_versions": {"events": 0}},
    )
    store.append_events(events(event("e1"), event("e2", "bob", "complaint", channel="email")))
    store.mark_compacted(store.uncompacted(1).numbers)
    store.record([record("r1", "d1", revision=3), record("r2", "d2", "bob", "wait")], at=NOW)
    store.record_plans([record("p1", "plan", "cem")])
    store.add_patch({"clock": {"offset_days": 3}}, who="mina", at=NOW)
    onje.lake.merge_events(events(*past))
    model = onje.places.home / "models" / "churn" / "1"
    model.mkdir(parents=True)
    (model / "model.lgb").write_text("trees")
    (model.parent / "champion").write_text("1")
    yield onje
    store.close()


def saved(onje, target, **more):
    more = {"everything": False, "at": NOW} | more
    return back_up(onje, target, step=silently, **more)


def restored(source, home, store_url=None, *, replace=False):
    at = installation_places(home, store_url)
    restore(source, at, replace=replace, now=LATER, step=silently)
    return installation(home, store_url)


def installation_places(home, store_url):
    environment = {"ONJE_HOME": str(home), "ONJE_SETTINGS": str(SETTINGS)}
    return places(environment | ({"ONJE_STORE_URL": store_url} if store_url else {}))


def everything_in(store):
    with store._connections.reading() as connection:
        return {
            name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for name, table in metadata.tables.items()
        }


@pytest.fixture(params=["sqlite", "postgresql"])
def elsewhere(request, tmp_path):
    """A free home and database of either kind, whatever the backup is of."""
    if request.param == "sqlite":
        return tmp_path / "elsewhere", None
    return tmp_path / "elsewhere", request.getfixturevalue("postgresql").new_database()


@pytest.mark.parametrize("name", ["saved", "saved.tar"])
def test_what_comes_back_is_what_there_was(onje, elsewhere, tmp_path, name):
    saved(onje, tmp_path / name)
    before = everything_in(onje.store)
    again = restored(tmp_path / name, *elsewhere)
    assert everything_in(again.store) == before
    home = again.places.home
    assert (home / "models" / "churn" / "1" / "model.lgb").read_text() == "trees"
    assert (home / "models" / "churn" / "champion").read_text() == "1"
    assert root_secret(again.places) == root_secret(onje.places)
    assert stat.S_IMODE((home / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert (home / "onje.toml").read_bytes() == SETTINGS.read_bytes()
    assert not (home / "lake").exists()
    # It goes on where it was: the same answer, and numbers that were given do not return.
    store = again.store
    assert store.record([record("r1", "dx")], at=NOW) == [Kept(b"answer of d1")]
    assert store.decision("d1").receipt == {"why": "test"}
    store.append_events(events(event("e3")))
    assert max(store.uncompacted(9).numbers) == 3
    assert store.add_patch({}, who="joon", at=NOW) == 2
    assert store.mark_compacted([]) == 2
    store.close()


def test_a_number_that_was_given_does_not_return_though_its_row_is_gone(onje, elsewhere, tmp_path):
    onje.store.mark_compacted(onje.store.uncompacted(9).numbers)
    empty = {"newest_events": 9, "compaction": 9, "about": {}}
    onje.store.publish(history(), customers(), products(), **empty)
    saved(onje, tmp_path / "saved")
    again = restored(tmp_path / "saved", *elsewhere)
    again.store.append_events(events(event("e3")))
    assert again.store.uncompacted(9).numbers == [3]
    again.store.close()


def test_a_backup_under_writes_is_of_one_moment(onje, tmp_path):
    is_over = Event()
    written = []

    def write():
        while not is_over.is_set():
            n = len(written)
            written.append(onje.store.record([record(f"w{n}", f"w{n}", f"c{n}")], at=NOW))

    writer = Thread(target=write)
    writer.start()
    while len(written) < 20:
        sleep(0.01)
    told = saved(onje, tmp_path / "saved")
    more = len(written)
    is_over.set()
    writer.join()
    # Each decision was written with its answer and its promise in one transaction.
    again = restored(tmp_path / "saved", tmp_path / "again")
    found = everything_in(again.store)
    again.store.close()
    live = {row[0] for row in found["decisions"] if row[0].startswith("w")}
    assert live == {row[0] for row in found["requests"] if row[0].startswith("w")}
    assert live == {row[0] for row in found["reservations"] if row[0].startswith("w")}
    assert 20 <= len(live) <= more + 1
    assert told["rows"]["decisions"] == len(found["decisions"])


def test_with_the_lake_all_of_the_home_comes_back(onje, elsewhere, tmp_path):
    saved(onje, tmp_path / "saved", everything=True)
    again = restored(tmp_path / "saved", *elsewhere)
    assert again.lake.versions() == onje.lake.versions()
    was, now = (one.lake.read("events").sort("event_id") for one in (onje, again))
    assert now.equals(was) and now.height == 2
    again.store.close()


def test_a_byte_that_changed_is_found_before_anything_is_written(onje, tmp_path):
    target = tmp_path / "saved"
    saved(onje, target)
    for file in ("store/decisions-0000007.parquet", "home/models/churn/1/model.lgb"):
        damaged = next(target.glob(file.replace("0000007", "*")))
        was = damaged.read_bytes()
        damaged.write_bytes(was[:-1] + bytes([was[-1] ^ 1]))
        with pytest.raises(DamagedError, match=f"{damaged.name} has changed"):
            restored(target, tmp_path / "again")
        damaged.write_bytes(was)
    (target / "home" / "models" / "more").write_text("x")
    with pytest.raises(DamagedError, match="more is not of this backup"):
        restored(target, tmp_path / "again")
    (target / "home" / "models" / "more").unlink()
    damaged.unlink()
    with pytest.raises(DamagedError, match="model.lgb is missing"):
        restored(target, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    with pytest.raises(DamagedError, match="is no backup"):
        restored(tmp_path / "home", tmp_path / "again")
    with pytest.raises(NotReadyError, match="no backup at"):
        restored(tmp_path / "nothing.tar", tmp_path / "again")


def test_what_is_there_is_refused_or_put_aside(onje, elsewhere, tmp_path):
    saved(onje, tmp_path / "saved")
    home, store_url = elsewhere
    other = installation(home, store_url)
    other.store.record([record("mine", "mine")], at=NOW)
    other.store.close()
    with pytest.raises(NotReadyError, match=r"--replace"):
        restored(tmp_path / "saved", home, store_url)
    again = restored(tmp_path / "saved", home, store_url, replace=True)
    assert again.store.decision("mine") is None
    assert again.store.decision("d1") is not None
    again.store.close()
    aside = home.with_name("elsewhere.before-restore-20261124T023000Z")
    assert (aside / "secret").exists()
    if store_url is None:
        kept = Store.open(f"sqlite:///{aside / 'store.db'}", patience_s=5.0)
    else:
        schema = "before_restore_20261124t023000z"
        kept = Store.open(f"{store_url}&options=-csearch_path%3D{schema}", patience_s=5.0)
    assert kept.decision("mine") is not None
    kept.close()


def test_a_backup_of_a_newer_release_is_refused(onje, tmp_path):
    saved(onje, tmp_path / "saved")
    manifest = tmp_path / "saved" / "manifest.json"
    about = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(about | {"tables": "0099_mars"}))
    with pytest.raises(DamagedError, match="newer release"):
        restored(tmp_path / "saved", tmp_path / "again")


@pytest.fixture(params=["at home", "beside", "postgresql"])
def there(request, onje, tmp_path):
    """A backup, and an installation with a decision of its own that it is restored over."""
    saved(onje, tmp_path / "saved.tar")
    (tmp_path / "there").mkdir()
    home, store_url = tmp_path / "there" / "home", None
    if request.param == "beside":
        store_url = f"sqlite:///{tmp_path / 'there' / 'own.db'}"
    if request.param == "postgresql":
        store_url = request.getfixturevalue("postgresql").new_database()
    other = installation(home, store_url)
    other.store.record([record("mine", "mine")], at=NOW)
    other.store.close()
    return tmp_path / "saved.tar", home, store_url


def assert_as_it_was(home, store_url):
    other = installation(home, store_url)
    assert other.store.decision("mine") is not None
    assert other.store.decision("d1") is None
    other.store.close()
    beside = {one.name for one in home.parent.iterdir()}
    assert beside <= {"home", ".home.restore.lock", "own.db"}


def of_damaged_rows(monkeypatch):
    read = json.loads

    def more(text):
        told = read(text)
        return told | {"rows": told["rows"] | {"keys": 9}}

    monkeypatch.setattr("pipelines.restore.json.loads", more)
    return DamagedError, "rows and says"


def of_a_full_disk(monkeypatch):
    read, files = pl.read_parquet, []

    def full(file):
        if files.append(file) or len(files) > 5:
            raise pl.exceptions.ComputeError("No space left on device (os error 28)")
        return read(file)

    monkeypatch.setattr("pipelines.restore.pl.read_parquet", full)
    return NotReadyError, r"saved.tar was not restored.* as it was: No space left"


def of_a_swap(monkeypatch, of=".home.restoring"):
    rename = Path.rename

    def busy(self, target):
        if self.name.startswith(of):
            raise OSError(16, "Device or resource busy")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", busy)
    return NotReadyError, "as it was: Device or resource busy"


@pytest.mark.parametrize("fault", [of_damaged_rows, of_a_full_disk, of_a_swap])
def test_a_restoring_that_fails_half_way_leaves_all_where_it_was(there, monkeypatch, fault):
    source, home, store_url = there
    with monkeypatch.context() as patched:
        kind, said = fault(patched)
        with pytest.raises(kind, match=said) as told:
            restored(source, home, store_url, replace=True)
    assert "restoring-" not in str(told.value) and "unpacked" not in str(told.value)
    assert_as_it_was(home, store_url)


@pytest.mark.parametrize("there", ["beside"], indirect=True)
def test_a_store_that_cannot_get_into_its_place_leaves_the_home_in_its_own(there, monkeypatch):
    source, home, store_url = there
    with monkeypatch.context() as patched:
        of_a_swap(patched, of=".own.db.restoring")
        with pytest.raises(NotReadyError, match="as it was: Device or resource busy"):
            restored(source, home, store_url, replace=True)
    assert_as_it_was(home, store_url)


def test_of_two_restorings_at_once_the_second_is_told(there):
    source, home, store_url = there
    told = []

    def step(*_done):
        if not told:
            with pytest.raises(NotReadyError, match="another onje restore") as second:
                restored(source, home, store_url, replace=True)
            told.append(second)

    at = installation_places(home, store_url)
    restore(source, at, replace=True, now=LATER, step=step)
    assert told
    again = installation(home, store_url)
    assert again.store.decision("d1") is not None and again.store.decision("mine") is None
    again.store.close()


def test_a_damaged_file_is_called_by_its_own_name(there, tmp_path):
    source, home, store_url = there
    cut = tmp_path / "cut.tar"
    cut.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    with pytest.raises(DamagedError, match=r"cut\.tar") as told:
        restored(cut, home, store_url, replace=True)
    assert "unpacked-" not in str(told.value)
    assert_as_it_was(home, store_url)


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz", "x.tgz"])
def test_another_kind_of_archive_is_refused(onje, tmp_path, name):
    with pytest.raises(SettingsError, match=r"ending in \.tar"):
        saved(onje, tmp_path / name)


@pytest.mark.parametrize(
    "fault", [OSError(28, "No space left on device"), pl.exceptions.ComputeError("No space left")]
)
@pytest.mark.parametrize("where", ["tarfile.TarFile.add", "polars.DataFrame.write_parquet"])
def test_a_backup_that_fails_leaves_nothing(onje, tmp_path, monkeypatch, where, fault):
    before = {one.name for one in tmp_path.iterdir()}

    def full(*_args, **_more):
        raise fault

    monkeypatch.setattr(where, full)
    with pytest.raises(NotReadyError, match=r"no backup was made at .*saved\.tar: No space left"):
        saved(onje, tmp_path / "saved.tar")
    assert {one.name for one in tmp_path.iterdir()} == before


def test_every_file_of_a_backup_is_its_owners(onje, tmp_path):
    saved(onje, tmp_path / "saved", everything=True)
    modes = {stat.S_IMODE(one.stat().st_mode) for one in files_of(tmp_path / "saved")}
    assert modes == {0o600}


def test_a_backup_takes_no_others_place_and_is_closed_to_others(onje, tmp_path):
    saved(onje, tmp_path / "saved")
    saved(onje, tmp_path / "saved.tar")
    assert stat.S_IMODE((tmp_path / "saved").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "saved.tar").stat().st_mode) == 0o600
    with pytest.raises(SettingsError, match="something at"):
        saved(onje, tmp_path / "saved")
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []
