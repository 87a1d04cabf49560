"""The doctor looks at everything, and says what to type where something is missing."""

import json

import polars as pl
import pytest

from pipelines.doctor import examine, mend
from pipelines.installation import opened
from pipelines.publish import publish
from tests.conftest import fill
from tests.training import grown
from tests.training.test_folder import sign_again
from training.model import folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ONJE_HOME", str(tmp_path))
    return tmp_path


def found():
    return {finding.what: finding for finding in examine()}


def test_an_empty_home_is_told_what_to_do_first(home):
    told = found()
    assert told["Python"].fine and told["packages"].fine and told["settings"].fine
    assert not told["lake"].fine and "onje ingest" in told["lake"].do
    assert told["data"].found == "no events of a simulated world"
    assert told["store"].do == "onje publish"
    assert told["model affinity-product"].do == "onje train affinity --promote"
    assert not told["model affinity-product"].fine and told["model response-click"].fine
    assert "your own figures hold" in told["model response-click"].found
    assert (
        "50,000" in told["uplift"].found and "5% of them (explore_emails)" in told["uplift"].found
    )


def test_looking_makes_no_home(tmp_path, monkeypatch):
    monkeypatch.setenv("ONJE_HOME", str(tmp_path / "none"))
    assert "onje ingest" in found()["home"].do
    assert not (tmp_path / "none").exists()


def test_what_was_published_is_fine_until_the_lake_moves(home, some_households):
    with opened() as onje:
        fill(onje.lake, some_households)
        publish(
            onje.lake, onje.store, at=onje.now(), settings=onje.settings.features,
            step=lambda doing, done, total: None,
        )  # fmt: skip
    assert found()["lake"].fine and found()["store"].fine and found()["money"].fine
    # What this data tells ends in 2017, and nobody has set the clock back.
    assert not found()["age"].fine and "days ago" in found()["age"].found
    pounds = (
        some_households["events"]
        .head(1)
        .with_columns(event_id=pl.lit("pounds"), currency=pl.lit("GBP"))
    )
    with opened() as onje:
        onje.lake.merge_events(pounds)
        onje.lake.append(
            "products", some_households["products"].head(1).with_columns(title=pl.lit("New"))
        )
    assert not found()["store"].fine
    assert not found()["money"].fine and found()["money"].found.startswith("1 of ")


def test_a_damaged_model_is_named(home):
    folder = home / "models" / "churn" / "1"
    folder.mkdir(parents=True)
    (folder.parent / "champion").write_text("1")
    (folder / "manifest.json").write_text(json.dumps({}))
    told = found()["model churn"]
    assert not told.fine and told.do == "onje doctor --mend"
    assert "type `onje doctor --mend`" in told.found


def test_what_mending_would_bring_back_as_it_is_has_to_be_trained_anew(home):
    place = home / "models" / "churn" / "1"
    folder.save(grown.model(), grown.rows(20, seed=9)[0], place)
    (place.parent / "champion").write_text("1")
    about = json.loads((place / "about.json").read_text())
    (place / "about.json").write_text(json.dumps(about | {"format": folder.FORMAT + 1}))
    sign_again(place, from_the_first_day=True)
    told = found()["model churn"]
    assert not told.fine and told.do == "onje train churn --promote"
    with opened() as onje:
        assert mend(onje) == []


def test_a_record_of_models_that_cannot_be_read_is_told(home):
    assert found()["registry"].fine
    (home / "mlflow.db").write_bytes(b"once a database" * 100)
    told = found()["registry"]
    assert not told.fine
    assert "cannot be read" in told.found and f"mv {home / 'mlflow.db'} " in told.found


def test_broken_settings_do_not_hide_the_rest(home):
    (home / "onje.toml").write_text("[clok]\n")
    told = found()
    assert not told["settings and store"].fine
    assert "did you mean clock?" in told["settings and store"].found
    assert told["Python"].fine


def test_a_variable_misspelt_is_told_not_thrown(home, monkeypatch):
    monkeypatch.setenv("ONJE_HOEM", "/x")
    told = found()
    assert "did you mean ONJE_HOME" in told["settings and store"].found
