"""Whoever only looks makes nothing where ONJE_HOME is mistyped, or where the store is lost."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from features.errors import NotReadyError
from pipelines.cli import application
from pipelines.serve import ROOT

SETTINGS = ROOT / "onje.toml"
LOOKS = (
    "keys list", "keys revoke 4f9k2m7c", "dead-letters list", "outbox list", "erase --list",
    "erase ann", "export-customer ann --out x", "replay d1", "tidy --dry-run", "backup x.tar",
)  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ONJE_HOME", str(tmp_path / "mistyped"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "onje.toml").write_bytes(SETTINGS.read_bytes())
    return tmp_path / "mistyped"


def ran(line):
    words = line.split()
    return CliRunner().invoke(application(words[0]), words)


@pytest.mark.parametrize("line", LOOKS)
def test_a_mistyped_home_stays_nothing(home, line):
    done = ran(line)
    assert isinstance(done.exception, NotReadyError), done.output
    assert f"nothing at {home} yet" in str(done.exception)
    assert not home.exists() and [one.name for one in home.parent.iterdir()] == ["onje.toml"]


@pytest.mark.parametrize("line", LOOKS)
def test_no_empty_store_takes_the_place_of_a_lost_one(home, line):
    (home / "lake").mkdir(parents=True)
    done = ran(line)
    assert isinstance(done.exception, NotReadyError) and "put it back" in str(done.exception)
    assert [one.name for one in home.iterdir()] == ["lake"]


def test_e_mails_are_told_without_a_home_and_none_is_made(home):
    done = ran("emails --json")
    assert done.exit_code == 0 and "win_back" in done.stdout
    assert not home.exists()


def test_a_first_key_may_be_made_before_anything_else(home):
    assert ran("keys add --scopes all").exit_code == 0
    assert ran("keys list").exit_code == 0
