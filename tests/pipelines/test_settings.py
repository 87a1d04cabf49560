"""onje.toml: what is unknown, missing or impossible is said in one go, with what to type."""

import re
from pathlib import Path

import pytest

from features.errors import SettingsError
from pipelines.installation import opened
from pipelines.places import places
from pipelines.settings import load_settings, merged
from serving.settings import ServingSettings

ROOT = Path(__file__).parents[2]
SHIPPED = (ROOT / "onje.toml").read_text("utf-8")


def written(tmp_path, text):
    file = tmp_path / "onje.toml"
    file.write_text(text, "utf-8")
    return file


def test_the_shipped_settings_load():
    settings = load_settings(ROOT / "onje.toml", patches=[])
    assert settings.clock.offset_days == 0
    assert len(settings.emails) >= 6


@pytest.mark.parametrize(
    ("line", "instead", "message"),
    [
        ("base_currency =", "base_curency =", "did you mean base_currency?"),
        ("category_depth = 2", "category_depth = 9", "[features] category_depth"),
        ("[clock]", "[clok]", "did you mean clock?"),
        ("newest_events =", "# newest_events =", "newest_events is missing"),
        ("[clock]", "[clock", "is not TOML"),
        ('"America/New_York"', '"America/NewYork"', "did you mean America/New_York?"),
        (
            "[emails.welcome]",
            "[emails.Our-Welcome]",
            "[emails.Our-Welcome] a name is 1 to 64 small letters, digits and _, a letter first, "
            "such as our_welcome",
        ),
    ],
)
def test_a_fault_is_explained(tmp_path, line, instead, message):
    assert line in SHIPPED
    with pytest.raises(SettingsError) as error:
        load_settings(written(tmp_path, SHIPPED.replace(line, instead, 1)), patches=[])
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        (
            {"cart_reminder": {"parameters": {"within_hours": -1}}},
            "[emails.cart_reminder.parameters] within_hours: Input should be greater than or equal",
        ),
        (
            {"welcome": {"when": "segment = 'loyall'"}},
            "[emails.welcome] when: no segment is called 'loyall'; did you mean 'loyal'?",
        ),
    ],
)
def test_a_fault_of_an_email_is_explained(patch, said):
    with pytest.raises(SettingsError) as error:
        load_settings(ROOT / "onje.toml", patches=[{"emails": patch}])
    assert said in str(error.value)


def test_a_fault_of_a_whole_table_does_not_print_the_table():
    with pytest.raises(SettingsError) as error:
        load_settings(ROOT / "onje.toml", patches=[{"brake": {"halve_at": 0.9}}])
    told = str(error.value)
    assert "brake: Value error, write halve_at <= stop_at" in told
    assert "{" not in told and "found" not in told


def test_defaults_that_are_no_table_are_told():
    with pytest.raises(SettingsError, match=r"email_defaults is a table: \[email_defaults\]"):
        load_settings(ROOT / "onje.toml", patches=[{"email_defaults": 3}])


def test_all_faults_are_told_at_once(tmp_path):
    text = SHIPPED.replace("base_currency", "base_curency").replace("[clock]", "[clok]")
    with pytest.raises(SettingsError) as error:
        load_settings(written(tmp_path, text), patches=[])
    assert "base_currency" in str(error.value) and "did you mean clock?" in str(error.value)


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(SettingsError, match="ONJE_SETTINGS"):
        load_settings(tmp_path / "none.toml", patches=[])


def test_a_later_patch_wins_and_changes_the_fingerprint():
    file = ROOT / "onje.toml"
    plain = load_settings(file, patches=[])
    moved = load_settings(
        file, patches=[{"clock": {"offset_days": 3}}, {"clock": {"offset_days": 7}}]
    )
    assert moved.clock.offset_days == 7
    assert moved.features == plain.features
    assert moved.fingerprint != plain.fingerprint


def test_the_fingerprint_does_not_depend_on_the_order_of_keys(tmp_path):
    head, clock, rest = SHIPPED.partition("[clock]\noffset_days = 0")
    assert clock
    text = head + rest + "\n" + clock + "\n"
    moved = load_settings(written(tmp_path, text), patches=[])
    assert moved.fingerprint == load_settings(ROOT / "onje.toml", patches=[]).fingerprint


def test_merging_replaces_leaves_only():
    assert merged({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}) == {"a": {"x": 1, "y": 3}}


def test_an_unknown_place_is_an_error():
    with pytest.raises(SettingsError, match=r"ONJE_COLOUR; known are ONJE_HOME, .*ONJE_PORT"):
        places({"ONJE_COLOUR": "red"})
    with pytest.raises(SettingsError, match="did you mean ONJE_HOME"):
        places({"ONJE_HOMEE": "/x"})


def test_places_follow_the_environment(tmp_path):
    found = places({"ONJE_HOME": str(tmp_path), "ONJE_PORT": "4000"})
    assert found.lake == tmp_path / "lake"
    assert found.store_url == f"sqlite:///{tmp_path / 'store.db'}"
    assert found.port == 4000
    (tmp_path / "onje.toml").write_text("")
    assert places({"ONJE_HOME": str(tmp_path)}).settings_file == tmp_path / "onje.toml"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONJE_STORE_URL", "garbage"),
        ("ONJE_STORE_URL", "sqlite:///:memory:"),
        ("ONJE_STORE_URL", "mysql://onje:secret@host/onje"),
        ("ONJE_HOME", "/tmp/ho?me"),
        ("MLFLOW_TRACKING_URI", "foo://x"),
    ],
)
def test_an_impossible_place_is_refused(name, value):
    with pytest.raises(SettingsError, match=name):
        places({name: value})


def test_the_store_may_be_on_a_server_and_its_password_is_not_told():
    url = "postgresql://onje:secret@host/onje"
    assert places({"ONJE_STORE_URL": url}).store_url == url
    with pytest.raises(SettingsError) as told:
        places({"ONJE_STORE_URL": url.replace("postgresql", "mysql")})
    assert "secret" not in str(told.value)


def test_an_empty_variable_says_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert places({"ONJE_HOME": "", "ONJE_STORE_URL": "", "ONJE_PORT": ""}) == places({})


def test_a_folder_below_the_project_finds_its_home(tmp_path, monkeypatch):
    (tmp_path / "onje.toml").write_text("")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    found = places({})
    assert found.home == tmp_path / ".onje" and found.settings_file == tmp_path / "onje.toml"


def test_a_home_that_cannot_be_made_is_explained(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ONJE_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(SettingsError, match="no folder can be made"), opened():
        pass


@pytest.mark.parametrize("port", ["0", "70000", "http"])
def test_an_impossible_port_is_refused(port):
    with pytest.raises(SettingsError, match="ONJE_PORT"):
        places({"ONJE_PORT": port})


def test_an_email_has_what_it_does_not_say_from_the_defaults():
    emails = load_settings(ROOT / "onje.toml", [{"email_defaults": {"products": 9}}]).emails
    assert emails["recommendation"].products == 9
    assert emails["cart_reminder"].products == 4  # says so itself


@pytest.mark.parametrize(
    ("default", "told"),
    [
        ({"products": -1}, r"\[email_defaults\] products: .* found -1"),
        ({"colour": "red"}, r"\[email_defaults\] unknown key colour"),
    ],
)
def test_a_fault_of_the_defaults_is_told_once_and_where_it_stands(default, told):
    with pytest.raises(SettingsError, match=told) as refused:
        load_settings(ROOT / "onje.toml", [{"email_defaults": default}])
    assert len(str(refused.value).splitlines()) == 2


def test_what_serves_is_derived_once_and_anew_of_a_changed_copy():
    settings = load_settings(ROOT / "onje.toml", patches=[])
    assert settings.serving is settings.serving
    as_before = settings.serving.policy_version
    assert ServingSettings.model_validate(settings.serving.model_dump()) == settings.serving
    policy = settings.policy.model_copy(update={"default_hour": 15})
    changed = settings.model_copy(update={"policy": policy})
    assert changed.serving.policy.default_hour == 15
    assert changed.serving.policy_version != as_before == settings.serving.policy_version
    assert changed.serving.model_copy(update={"emails": {}}).catalogue_version not in {
        changed.serving.catalogue_version, settings.serving.catalogue_version,
    }  # fmt: skip


def test_tables_that_do_not_go_together_are_told_once(tmp_path):
    broken = SHIPPED.replace('stages = ["aware"', 'stages = ["awear"', 1)
    assert broken != SHIPPED
    with pytest.raises(SettingsError) as told:
        load_settings(written(tmp_path, broken), patches=[])
    assert str(told.value).count("no stage is called awear") == 1
    assert "validation error" not in str(told.value)


def test_settings_without_an_email_are_refused_as_they_are_read(tmp_path):
    without = re.sub(r"(?ms)^\[(emails\.|workflows\.|experiments\.).*?(?=^\[|\Z)", "", SHIPPED)
    with pytest.raises(SettingsError, match=r"emails: Dictionary should have at least 1 item"):
        load_settings(written(tmp_path, "emails = {}\nworkflows = {}\n" + without), patches=[])
