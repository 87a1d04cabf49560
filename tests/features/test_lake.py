"""The lake: nothing twice, nothing half, every version readable."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError
from filelock import FileLock

from features.contracts import CHANNELS, SIMULATED
from features.errors import NotReadyError, OnjeError
from features.lake import Lake, Merged
from features.tables import CUSTOMERS, EVENTS, PRODUCTS
from tests.features.text import when

AT = when("2024-05-01T09:00")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def _events(*ids: str, days: int = 0) -> pl.DataFrame:
    at = AT + timedelta(days=days)
    return EVENTS.check(
        pl.DataFrame(
            {
                "event_id": ids,
                "customer_id": [f"c{event[-1]}" for event in ids],
                "at": AT,
                "known_at": at,
                "kind": "view",
                "channel": "web",
                "source": "test",
                "amount": "1.25",
                "currency": "USD",
            }
        )
    )


def _same(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    return one.sort("event_id").equals(other.sort("event_id"))


def test_what_goes_in_comes_out(lake: Lake) -> None:
    events = _events("e1", "e2", "e3")
    assert lake.merge_events(events) == Merged(inserted=3, known_already=0)
    told = lake.read("events")
    assert told.schema == EVENTS.schema.create_empty().schema
    assert told.schema["channel"] == pl.Enum(CHANNELS)
    assert _same(told, events)


def test_the_same_twice_changes_nothing_not_even_the_version(lake: Lake) -> None:
    events = _events("e1", "e2", "e3")
    lake.merge_events(events)
    before = lake.versions()
    assert lake.merge_events(events) == Merged(inserted=0, known_already=3)
    assert lake.merge_events(_events("e1", days=3)) == Merged(inserted=0, known_already=1)
    assert lake.versions() == before
    assert _same(lake.read("events"), events)


def test_one_simulated_event_makes_a_lake_synthetic_and_its_copies_too(
    lake: Lake, tmp_path: Path
) -> None:
    assert not lake.is_synthetic()  # nothing in it yet
    # Sources before and after it in the alphabet: statistics alone cannot tell.
    lake.merge_events(_events("e1", "e2").with_columns(source=pl.Series(["app", "web"])))
    assert not lake.is_synthetic()
    lake.merge_events(_events("e3").with_columns(source=pl.lit(SIMULATED)))
    assert lake.is_synthetic()
    shutil.copytree(tmp_path / "lake", tmp_path / "elsewhere")
    assert Lake(tmp_path / "elsewhere").is_synthetic()


def test_copies_within_one_batch_are_one_event(lake: Lake) -> None:
    for batch in (_events("e1"), _events("e2")):  # into nothing, and into a table
        twice = pl.concat([batch, batch])
        assert lake.merge_events(twice) == Merged(inserted=1, known_already=1)
    assert lake.read("events").height == 2


def test_of_a_known_event_the_earliest_telling_stays(lake: Lake) -> None:
    lake.merge_events(_events("e1", "e2", days=2))
    assert lake.merge_events(_events("e1", "e3", days=1)) == Merged(inserted=1, known_already=1)
    known_at = lake.read("events").sort("event_id")["known_at"] - AT
    assert known_at.dt.total_days().to_list() == [1, 2, 1]


def test_a_version_stays_as_it_was(lake: Lake) -> None:
    lake.merge_events(_events("e1"))
    seen = lake.versions()["events"]
    lake.merge_events(_events("e2"))
    lake.replace("scores", pl.DataFrame({"customer_id": ["c1"], "churn": [0.5]}))
    assert lake.read("events", version=seen)["event_id"].to_list() == ["e1"]
    assert lake.versions() == {"events": seen + 1, "scores": 0}


def test_many_small_files_are_put_together_and_nothing_else_changes(lake: Lake) -> None:
    for place in range(5):
        # The same last letter: the same customer, so the same bucket.
        lake.merge_events(_events(f"e{place}a"))
    before, files = lake.read("events"), len(_files(lake))
    lake.tidy("events")
    assert lake.read("events").sort("event_id").equals(before.sort("event_id"))
    assert (files, len(_files(lake))) == (5, 1)
    assert lake.read("events", version=2).height == 3


def test_a_version_that_a_receipt_names_is_readable_for_good(lake: Lake) -> None:
    lake.merge_events(_events("e1"))
    for place in range(101):  # a checkpoint comes after every hundred commits
        lake.append("plans", pl.DataFrame({"customer_id": [f"c{place}"]}))
    # Without a checkpoint that is itself old Delta keeps everything: so this one is made old.
    _age(Path(str(lake.root)) / "plans" / "_delta_log", days=400)
    DeltaTable(f"{lake.root}/plans").create_checkpoint()
    for place in range(100):
        lake.append("plans", pl.DataFrame({"customer_id": [f"d{place}"]}))
    assert lake.read("plans", version=2).height == 3


def test_a_table_that_was_made_before_keeps_its_versions_once_it_is_tidied(lake: Lake) -> None:
    at = f"{lake.root}/plans"
    write_deltalake(at, pl.DataFrame({"customer_id": ["c1"], "bucket": [1]}))
    assert "delta.enableExpiredLogCleanup" not in DeltaTable(at).metadata().configuration
    lake.tidy("plans")
    assert DeltaTable(at).metadata().configuration["delta.enableExpiredLogCleanup"] == "false"


def _age(log: Path, *, days: int) -> None:
    """Make the log look as if it had been written so many days ago."""
    then = time.time() - days * 86_400
    for file in log.iterdir():
        if file.suffix == ".json":
            lines = [json.loads(line) for line in file.read_text().splitlines()]
            for line in lines:
                if "commitInfo" in line:
                    line["commitInfo"]["timestamp"] = int(then * 1000)
            file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        os.utime(file, (then, then))


def _files(lake: Lake) -> list[str]:
    return DeltaTable(f"{lake.root}/events").file_uris()


def test_some_customers_some_buckets_some_columns(lake: Lake) -> None:
    events = _events(*(f"e{n}" for n in range(10)))
    lake.merge_events(events)
    told = lake.read("events", customers=["c3", "c4", "nobody"], columns=["event_id"])
    assert sorted(told["event_id"]) == ["e3", "e4"]
    by_bucket = [lake.read("events", buckets=[bucket]) for bucket in range(64)]
    assert max(part.height for part in by_bucket) < 10
    assert _same(pl.concat(by_bucket), events)


def test_customers_and_products_by_their_keys(lake: Lake) -> None:
    people = CUSTOMERS.shape(
        pl.DataFrame({"customer_id": ["a", "a"], "known_at": [AT, AT + timedelta(days=1)]})
    )
    assert lake.append("customers", people) == Merged(2, 0)
    assert lake.append("customers", people) == Merged(0, 2)
    shelf = PRODUCTS.shape(pl.DataFrame({"product_id": ["p", "q"], "available": [True, True]}))
    sold_out = shelf[:1].with_columns(available=pl.lit(False))
    assert lake.append("products", shelf) == Merged(2, 0)
    assert lake.append("products", sold_out) == Merged(0, 1)
    assert lake.append("products", sold_out) == Merged(0, 1)
    assert lake.versions() == {"customers": 0, "products": 1}
    assert lake.read("products").sort("product_id")["available"].to_list() == [False, True]


def test_scores_are_replaced_whole_even_by_other_columns(lake: Lake) -> None:
    lake.replace("scores", pl.DataFrame({"customer_id": ["a", "b"], "churn": [0.1, 0.2]}))
    lake.replace("scores", pl.DataFrame({"customer_id": ["a"], "hours": [[0.5, 0.5]]}))
    assert lake.read("scores").to_dicts() == [{"customer_id": "a", "hours": [0.5, 0.5]}]


def test_rejected_rows_are_kept_once_with_their_reason(lake: Lake) -> None:
    bad = _events("e1").cast({"kind": pl.String}).with_columns(kind=pl.lit("purchase"))
    rejected = EVENTS.split(bad).rejected
    assert lake.reject("events", rejected) == Merged(1, 0)
    assert lake.reject("events", rejected) == Merged(0, 1)
    assert lake.reject("events", rejected.clear()) == Merged(0, 0)
    row = lake.read("rejected").row(0, named=True)
    assert row["of_table"] == "events"
    assert row["reason"].startswith("kind is not one of")
    assert row["known_at"] == AT
    assert '"kind":"purchase"' in row["row"]


def test_what_is_not_there_is_said_with_what_to_type(lake: Lake) -> None:
    with pytest.raises(NotReadyError, match=r"no events in the lake at .*; type `onje ingest"):
        lake.read("events")
    assert not lake.exists("events")
    assert lake.versions() == {}
    lake.merge_events(_events("e1"))
    with pytest.raises(NotReadyError, match="version 7 of events .* the newest is 0"):
        lake.read("events", version=7)
    with pytest.raises(OnjeError, match="no table 'evnets'; it has events"):
        lake.read("evnets")


def test_writers_at_once_lose_nothing(lake: Lake) -> None:
    lake.merge_events(_events("e0"))
    batches = [_events(f"x{n}", f"y{n}", "shared0") for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        merged = list(pool.map(lake.merge_events, batches))
    assert sum(done.inserted for done in merged) == 17
    assert lake.read("events")["event_id"].n_unique() == 18
    assert lake.read("events").height == 18


def test_a_writer_waits_for_the_one_before(lake: Lake) -> None:
    lake.merge_events(_events("e1"))
    with ThreadPoolExecutor(1) as pool:
        with FileLock(f"{lake.root}/events.lock"):
            second = pool.submit(lake.merge_events, _events("e2"))
            with pytest.raises(TimeoutError):
                second.result(timeout=0.3)
        assert second.result(timeout=10).inserted == 1


_WRITER = """
import sys
from tests.features.test_lake import _events
from features.lake import Lake
lake = Lake(sys.argv[1])
for batch in range(10_000):
    ids = [f"{sys.argv[2]}-{batch}-{n}" for n in range(200)]
    events = _events(*ids)
    lake.append("plans", events.select("event_id", "customer_id"))
    lake.merge_events(events)
    print("wrote", flush=True)
"""


def test_kill_9_while_writing_leaves_whole_batches_only(lake: Lake) -> None:
    lake.merge_events(_events("e1"))
    for attempt, delay in enumerate([0.0, 0.1, 0.25]):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(lake.root), str(attempt)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"wrote\n"
        time.sleep(delay)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        for table in ("plans", "events"):
            written = lake.read(table, columns=["event_id"]).filter(
                pl.col("event_id").str.contains("-")
            )
            per_batch = written.group_by(pl.col("event_id").str.replace(r"-\d+$", "")).len()
            assert set(per_batch["len"]) == {200}
        # Whoever comes next can write: a dead writer holds no lock.
        assert lake.merge_events(_events(f"after{attempt}")).inserted == 1


def test_a_full_disk_is_told_and_leaves_nothing_half(lake: Lake) -> None:
    lake.merge_events(_events("e1"))
    limited = """
import resource, signal, sys
from pathlib import Path
from features.errors import NotReadyError
from features.lake import Lake

lake = Lake(Path(sys.argv[1]))
events = lake.read("events")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
for write in (lambda: lake.replace("events", events), lambda: lake.append("plans", events)):
    try:
        write()
    except NotReadyError as told:
        print(told)
"""
    done = subprocess.run(
        [sys.executable, "-c", limited, str(lake.root)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    for table, told in zip(("events", "plans"), done.stdout.splitlines(), strict=True):
        assert told.startswith(f"{table} could not be written to the lake at {lake.root}: ")
        assert "File too large" in told
        assert "ONJE_HOME" in told
    assert lake.versions() == {"events": 0}
    assert lake.merge_events(_events("e1", "e2")) == Merged(inserted=1, known_already=1)
    assert lake.append("plans", _events("e1")) == Merged(inserted=1, known_already=0)


def test_a_lake_where_a_file_lies_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("not a folder")
    with pytest.raises(NotReadyError, match="events could not be written to the lake at .*lake: "):
        Lake(tmp_path / "lake").merge_events(_events("e1"))


def test_what_delta_says_of_a_merge_that_failed_is_told_without_its_colours(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise DeltaError("Generic error \x1b[31m↳\x1b[0m No space left on device (os error 28)")

    lake.merge_events(_events("e1", days=1))
    monkeypatch.setattr("deltalake.table.TableMerger.execute", fails)
    with pytest.raises(NotReadyError, match="lake: Generic error ↳ No space left on device"):
        lake.merge_events(_events("e1", "e2"))
    assert lake.versions() == {"events": 0}
