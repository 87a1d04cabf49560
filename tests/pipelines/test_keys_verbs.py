"""onje keys: what may be a name, and how its rows are told to machines and people."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import typer
from typer.testing import CliRunner

from pipelines.commands.keys import add_to


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ONJE_HOME", str(tmp_path))


def ran(*words):
    app = typer.Typer()
    add_to(app)
    return CliRunner().invoke(app, ["keys", *words])


def listed():
    return json.loads(ran("list", "--json").stdout)


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "two\nlines", "\x00", "\u202eright"])
def test_a_name_that_moves_the_cursor_is_refused(name):
    refused = ran("add", "--scopes", "all", "--name", name)
    assert refused.exit_code == 2 and "control characters" in refused.output
    assert ran("list").exit_code == 0 and listed() == []


def test_a_name_in_any_script_is_kept_and_moments_are_iso_8601():
    assert ran("add", "--scopes", "read", "--name", "쇼핑몰 1", "--days", "3").exit_code == 0
    [row] = listed()
    assert row["name"] == "쇼핑몰 1"
    created, expires = (datetime.fromisoformat(row[name]) for name in ("created", "expires"))
    assert "T" in row["created"] and row["created"].endswith("+00:00")
    assert (expires - created).days == 3 and created <= datetime.now(UTC)
    assert f"{created:%Y-%m-%d %H:%M:%S}Z" in ran("list").stdout
