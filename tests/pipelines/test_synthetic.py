"""After `onje simulate` every command says that its data is synthetic, and of a shop's data not."""

import json

import pytest
from typer.testing import CliRunner

from features.lake import Lake
from pipelines.cli import application
from pipelines.console import silently
from pipelines.doctor import examine
from pipelines.simulator.into_lake import simulate
from pipelines.simulator.size import Size

PAST_END = "2026-03-02T00:00:00"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A simulated shop with a churn model that is champion, whatever the gate says."""
    home = tmp_path_factory.mktemp("simulated")
    simulate(home, Lake(home / "lake"), Size("default", 300, 26, 1), step=silently)
    return home


@pytest.fixture(scope="module")
def trained(home):
    rows = json.loads(onje("train", "churn", "--json", home=home).stdout)
    onje("promote", "churn", "--force", "a test", "--json", home=home)
    return rows


def onje(verb, *words, home):
    environment = {"ONJE_HOME": str(home), "COLUMNS": "200"}
    done = CliRunner(env=environment).invoke(application(verb), [verb, *words])
    assert done.exit_code in (0, 12), done.output
    return done


def test_a_training_and_its_record_say_so(home, trained):
    assert [row["synthetic"] for row in trained] == [True]
    (recorded,) = json.loads(onje("evaluate", "--json", home=home).stdout)
    assert recorded["synthetic"] is True and "trained on synthetic data" in recorded["gate"]
    assert "Recorded models (synthetic data)" in onje("evaluate", home=home).stdout


@pytest.mark.parametrize(
    "words",
    [("publish",), ("rescore", "--as-of", PAST_END), ("features", "c000001", "--as-of", PAST_END)],
)
def test_results_say_so_to_machines_and_people(words, home, trained):
    assert json.loads(onje(*words, "--json", home=home).stdout)["synthetic"] is True
    assert "(synthetic data)" in " ".join(onje(*words, home=home).stdout.split())


def test_the_doctor_says_so_of_the_lake_and_of_each_model(home, trained, monkeypatch):
    monkeypatch.setenv("ONJE_HOME", str(home))
    found = {finding.what: finding for finding in examine()}
    assert found["data"].fine and found["data"].found.startswith("synthetic")
    assert found["model churn"].found.endswith("trained on synthetic data")
