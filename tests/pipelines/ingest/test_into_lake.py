from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from features.errors import DataError
from features.lake import Lake
from pipelines.console import silently
from pipelines.ingest.into_lake import ingest_table
from tests.pipelines.ingest.files import MAPPING, NOW, drawn, written

ROWS = """
    who | basket | when             | what | units | paid
    ann | 1      | 2024-05-01 09:00 | mug  | 2     | 12.50
    ann | 1      | 2024-05-01 09:00 | pen  | 1     | 1.10
        | 2      | 2024-05-01 10:00 | pen  | 1     | 1.10
    bob | 3      | 2024-05-04 09:00 | mug  | -1    | -6.25
"""
LIVING = '\n[customers]\ntimezone = { constant = "Europe/Berlin" }\n'


@pytest.fixture
def shop(tmp_path):
    """A lake, a file of rows and its mapping."""
    rows = written(tmp_path, "rows.csv", drawn(ROWS))
    return Lake(tmp_path / "lake"), rows, written(tmp_path, "map.toml", MAPPING + LIVING)


def contents(lake: Lake) -> dict[str, set[str]]:
    """What the tables hold, whatever the order of rows."""
    tables = ("events", "customers", "products", "rejected")
    return {name: {str(row) for row in lake.read(name).rows()} for name in tables}


def test_everything_that_came_in_is_in_the_lake(shop):
    lake, rows, mapping = shop
    report = ingest_table(lake, rows, mapping, NOW, silently)

    assert lake.read("events").height == 3
    assert set(lake.read("customers")["timezone"]) == {"Europe/Berlin"}
    assert set(lake.read("products")["product_id"]) == {"mug", "pen"}
    guest = lake.read("rejected").row(0, named=True)
    assert guest["reason"] == "a guest"
    assert json.loads(guest["row"])["row in file"] == 3
    new = {table: merged.inserted for table, merged in report.stored.items()}
    assert new == {"events": 3, "customers": 2, "products": 2, "rejected": 1}


def test_the_same_file_twice_changes_nothing_even_later(shop):
    lake, rows, mapping = shop
    ingest_table(lake, rows, mapping, NOW, silently)
    held, versions = contents(lake), lake.versions()

    again = ingest_table(lake, rows, mapping, NOW + timedelta(days=30), silently)
    assert (contents(lake), lake.versions()) == (held, versions)
    assert {merged.inserted for merged in again.stored.values()} == {0}


def test_two_exports_that_overlap_give_each_event_once(shop, tmp_path):
    lake, rows, mapping = shop
    ingest_table(lake, rows, mapping, NOW, silently)
    longer = ROWS + "    cid | 4      | 2024-05-05 09:00 | pen  | 1     | 1.10\n"
    report = ingest_table(lake, written(tmp_path, "may.csv", drawn(longer)), mapping, NOW, silently)

    assert report.stored["events"].inserted == 1
    assert lake.read("events")["event_id"].n_unique() == lake.read("events").height == 4


@pytest.mark.parametrize("written_tables", [1, 3])
def test_kill_9_in_the_middle_leaves_a_lake_that_the_next_run_completes(
    shop, tmp_path, written_tables
):
    lake, rows, mapping = shop
    child = f"""
import os, signal
from datetime import datetime
from pathlib import Path
from features.lake import Lake
from pipelines.ingest.into_lake import ingest_table

def killed(doing, done, total):
    if doing.startswith("writing") and done == {written_tables}:
        os.kill(os.getpid(), signal.SIGKILL)

ingest_table(Lake(Path({str(lake.root)!r})), Path({str(rows)!r}), Path({str(mapping)!r}),
             datetime.fromisoformat({NOW.isoformat()!r}), killed)
"""
    done = subprocess.run([sys.executable, "-c", child], cwd=Path(__file__).parents[3])
    assert done.returncode == -signal.SIGKILL
    assert len(lake.versions()) == written_tables
    for table in lake.versions():
        assert not lake.read(table).is_empty()

    ingest_table(lake, rows, mapping, NOW, silently)
    untouched = Lake(tmp_path / "other")
    ingest_table(untouched, rows, mapping, NOW, silently)
    assert contents(lake) == contents(untouched)


def test_the_report_for_machines_and_for_people(shop):
    report = ingest_table(*shop, NOW, silently)

    told = json.loads(json.dumps(report.as_dict()))
    assert told["inputs"][0] == {
        "input": "rows.csv",
        "rows": 4,
        "became": {"order": 2, "refund": 1},
        "rejected": {"a guest": 1},
        "samples": {"a guest": "row 3"},
    }
    assert told["stored"]["events"] == {"inserted": 3, "known_already": 0}
    assert told["versions"]["events"] == 0

    console = Console(width=100, record=True, file=StringIO())
    console.print(report)
    text = console.export_text()
    assert "a guest" in text
    assert "nobody is mailed until another source does" in text


def test_progress_begins_and_ends(shop):
    steps: dict[str, list[tuple[int, int]]] = {}
    ingest_table(
        *shop, NOW, lambda doing, done, total: steps.setdefault(doing, []).append((done, total))
    )
    assert steps["reading rows.csv"] == [(0, 1), (1, 1)]
    assert steps["writing to the lake"] == [(n, 4) for n in range(5)]


UNREAD = """
    who | basket | when       | what | units | paid
    ann | 1      | 05/01/2024 | mug  | 2     | 12.50
    ann | 1      | 05/01/2024 | mug  | 2     | 12.50
    bob | 2      | 06/01/2024 | pen  | many  | 1.10
        | 3      | 06/01/2024 | pen  | 1     | 1.10
    cid | 4      | 06/01/2024 | pen  | 1     | 1.10
"""
NOTHING = (
    "Nothing of rows.csv came in: 3 of its 5 rows were rejected, as: when is not a time that was "
    "on a clock in Europe/Berlin: '05/01/2024' in row 1. "
)


def test_a_report_says_aloud_that_nothing_came_in(shop, tmp_path):
    lake, _, mapping = shop
    report = ingest_table(
        lake, written(tmp_path, "rows.csv", drawn(UNREAD)), mapping, NOW, silently
    )

    assert report.is_empty_handed
    (warning,) = report.as_dict()["warnings"]
    assert warning.startswith(NOTHING)
    console = Console(width=300, record=True, file=StringIO())
    console.print(report)
    assert console.export_text().splitlines()[-1].startswith(NOTHING)


def test_a_report_of_something_is_silent(shop):
    report = ingest_table(*shop, NOW, silently)
    assert not report.is_empty_handed
    assert report.warnings == ()


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_command_ends_with_its_code_where_nothing_came_in(shop, tmp_path, form):
    _, _, mapping = shop
    rows = written(tmp_path, "unread.csv", drawn(UNREAD))
    command = [Path(sys.executable).parent / "onje", "ingest", "table", rows, "--map", mapping]
    done = subprocess.run(
        [*command, *form],
        env={**os.environ, "ONJE_HOME": str(tmp_path / "home"), "COLUMNS": "300"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == DataError.exit_code == 10
    assert "Nothing of unread.csv came in" in done.stdout


def test_a_long_name_of_a_file_is_whole_in_a_narrow_terminal(shop, tmp_path):
    lake, _, mapping = shop
    name = "export_of_all_orders_of_the_shop_in_berlin_from_2023_to_2024_second_try_final.csv"
    report = ingest_table(lake, written(tmp_path, name, drawn(ROWS)), mapping, NOW, silently)
    console = Console(width=80, record=True, file=StringIO())
    console.print(report)
    text = console.export_text()
    first = "".join(
        line.split("│")[1].strip() for line in text.splitlines() if line.startswith("│")
    )
    assert name in first
    assert "consent in it" not in text  # it had no rows
