"""A world's past comes into the lake by the ingest, once, and never among other data."""

import json
import shutil
from datetime import timedelta

import polars as pl
import pytest
from typer.testing import CliRunner

from features.errors import NotReadyError, SettingsError
from features.lake import Lake
from features.once import unique_events
from features.tables import EVENTS
from pipelines.cli import application
from pipelines.console import silently
from pipelines.simulator import into_lake
from pipelines.simulator.facts import FACTS
from pipelines.simulator.into_lake import simulate
from pipelines.simulator.past_mail import send_history
from pipelines.simulator.run import begin
from pipelines.simulator.size import Size
from pipelines.simulator.truth import size_of, truth_of_customers
from pipelines.simulator.world import START, create
from pipelines.simulator.worlds import known_world

SIZE = Size("tiny", 150, 6, 3)


def made(home, size=SIZE):
    return simulate(home, Lake(home / "lake"), size, step=silently)


def contents(home):
    lake = Lake(home / "lake")
    keys = {"events": "event_id", "customers": "customer_id", "products": "product_id"}
    return {table: lake.read(table).sort(key) for table, key in keys.items()}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("world")
    made(home)
    return home


def test_the_lake_holds_a_past_that_ends_where_the_evaluation_starts(home):
    events, customers = contents(home)["events"], contents(home)["customers"]
    assert events["event_id"].is_unique().all()
    assert events["known_at"].max() < START
    # Of the time before the six weeks only who signed up, and what they said of themselves.
    earlier = events.filter(pl.col("at") < START - timedelta(weeks=SIZE.weeks))
    assert set(earlier["kind"]) <= {"signup", "consent", "profile"}
    assert {"send", "deliver", "open", "session", "order", "consent"} <= set(events["kind"])
    assert customers["known_at"].max() < START
    assert set(events["customer_id"]) <= set(customers["customer_id"])
    assert set(events["source"]) == {"simulated"}
    assert not Lake(home / "lake").exists("rejected")


def test_every_event_of_the_past_comes_in(home):
    world = create(known_world("tiny"), customers=150, history_weeks=6, weeks=0, seed=3)
    run = begin(world)
    send_history(world, run)
    told = unique_events(EVENTS.shape(run.events(START))).sort("event_id")
    assert (
        contents(home)["events"]
        .select("event_id", "known_at", "at", "kind")
        .equals(told.select("event_id", "known_at", "at", "kind"))
    )


def test_the_truth_lies_beside_the_lake(home):
    assert size_of(home) == SIZE
    assert truth_of_customers(home).height == SIZE.customers


def test_the_same_again_changes_nothing(home):
    before, versions = contents(home), Lake(home / "lake").versions()
    again = made(home)
    assert again.new_events == 0 and again.events == before["events"].height
    assert Lake(home / "lake").versions() == versions
    assert all(table.equals(before[name]) for name, table in contents(home).items())


def test_another_home_gets_the_same_and_another_seed_another_world(home, tmp_path):
    made(tmp_path / "same")
    assert contents(tmp_path / "same")["events"].equals(contents(home)["events"])
    made(tmp_path / "other", Size("tiny", 150, 6, 4))
    assert not contents(tmp_path / "other")["events"].equals(contents(home)["events"])


@pytest.mark.parametrize("stored_blocks", [0, 3])
def test_killed_half_way_it_can_be_started_again(stored_blocks, home, tmp_path, monkeypatch):
    real, calls = into_lake.store, []

    def killed(*given):
        if len(calls) == stored_blocks:
            raise KeyboardInterrupt
        calls.append(given)
        return real(*given)

    monkeypatch.setattr(into_lake, "store", killed)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path)
    monkeypatch.setattr(into_lake, "store", real)
    again = made(tmp_path)
    assert (again.new_events < again.events) == (stored_blocks > 0)
    assert all(table.equals(contents(home)[name]) for name, table in contents(tmp_path).items())


def test_another_world_in_the_same_home_is_refused(home):
    with pytest.raises(NotReadyError, match=r"tiny \(150 .*seed 3\).*seed 4\).*ONJE_HOME"):
        made(home, Size("tiny", 150, 6, 4))


def test_the_same_world_made_by_other_code_is_not_mixed_in(home, tmp_path):
    shutil.copytree(home, tmp_path / "home")
    file = tmp_path / "home" / "truth" / "world.json"
    said = json.loads(file.read_text())
    file.write_text(json.dumps(said | {"past": "1 2 3"}))
    with pytest.raises(NotReadyError, match="another version"):
        made(tmp_path / "home")
    assert contents(tmp_path / "home")["events"].equals(contents(home)["events"])


def test_somebody_s_data_is_not_mixed_with_a_world(home, tmp_path):
    shutil.copytree(home / "lake", tmp_path / "lake")
    with pytest.raises(NotReadyError, match="not simulated.*ONJE_HOME"):
        made(tmp_path)
    assert not (tmp_path / "truth").exists()


def onje(*words, home):
    return CliRunner(env={"ONJE_HOME": str(home)}).invoke(
        application("simulate"), ["simulate", *words]
    )


def test_the_command_tells_machines_one_line(tmp_path):
    words = ["--world", "tiny", "--customers", "150", "--weeks", "6", "--seed", "3", "--json"]
    done = onje(*words, home=tmp_path)
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert {name: said[name] for name in ("world", "customers", "weeks", "seed")} == {
        "world": "tiny", "customers": 150, "weeks": 6, "seed": 3,
    }  # fmt: skip
    assert said["synthetic"] is True
    assert said["events"] == contents(tmp_path)["events"].height
    assert [row["fact"] for row in said["facts"]] == [fact.name for fact in FACTS]
    assert {"real", "low", "high", "world", "within"} < set(said["facts"][0])


def test_the_command_tells_people_that_it_is_synthetic_and_what_to_type(home):
    done = onje("--world", "tiny", "--customers", "150", "--weeks", "6", "--seed", "3", home=home)
    assert done.exit_code == 0, done.output
    assert "SYNTHETIC" in done.output and "0 of them new" in done.output
    for command in (
        "train all",
        "publish",
        "rescore --as-of 2026-03-02T00:00:00",
        "evaluate policy",
    ):
        assert f"onje {command}" in done.output


def test_the_clock_of_the_home_is_set_to_the_first_day_after_the_past(home):
    from pipelines.installation import opened

    onje("--world", "tiny", "--customers", "150", "--weeks", "6", "--seed", "3", home=home)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ONJE_HOME", str(home))
        with opened() as installation:
            assert installation.now().date() == START.date()
            assert len(installation.store.patches()) == 1


def test_the_worlds_are_listed(tmp_path):
    done = onje("--list", home=tmp_path / "none")
    assert "synthetic" in done.output and "strong-hour" in done.output and done.exit_code == 0
    assert not (tmp_path / "none").exists()


def test_an_unknown_world_lists_the_known_ones(tmp_path):
    done = onje("--world", "strong-hours", home=tmp_path / "none")
    assert "strong-hour," in str(done.exception) and "tiny" in str(done.exception)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "span"),
    [
        (["--customers", "5"], "100 to 100,000"),
        (["--weeks", "0"], "4 to 104"),
        (["--seed", "-1"], "from 0 to"),
    ],
)
def test_an_impossible_size_is_refused_with_its_range(words, span, tmp_path):
    done = onje(*words, home=tmp_path / "none")
    assert isinstance(done.exception, SettingsError) and span in str(done.exception)
    assert not (tmp_path / "none").exists()


def test_a_small_default_world_is_near_the_facts(tmp_path):
    done = onje("--customers", "1500", "--weeks", "20", "--json", home=tmp_path)
    rows = pl.DataFrame(json.loads(done.output)["facts"])
    # Chance moves a small world: bounds a third wider, to either side, and no rare complaints.
    low, high = pl.col("low"), pl.col("high")
    slack = (high - low) / 3
    outside = rows.filter(
        ~pl.col("fact").str.starts_with("complained"),
        ~pl.col("world").is_between(low - slack, high + slack).fill_null(False),
    )
    assert outside.is_empty(), outside
