"""The command line lists every verb, loads only the one it runs, and ends by who must act."""

import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pipelines.cli import VERBS, application
from pipelines.moments import moment

ROOT = Path(__file__).parents[2]


def onje(*words, home):
    return subprocess.run(
        [sys.executable, "-c", "from pipelines.cli import main; main()", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "ONJE_HOME": str(home / "onje")},
    )  # fmt: skip


def test_every_file_of_commands_is_a_verb():
    files = {f.stem for f in (ROOT / "pipelines" / "commands").glob("*.py")} - {"__init__"}
    assert files == {verb.replace("-", "_") for verb in VERBS}


def test_help_lists_every_verb():
    shown = CliRunner().invoke(application(None), ["--help"])
    assert shown.exit_code == 0
    assert all(verb in shown.output for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_an_example(verb):
    shown = CliRunner().invoke(application(verb), [verb, "--help"])
    assert shown.exit_code == 0
    assert f"onje {verb}" in shown.output, "an example is missing"


@pytest.mark.parametrize("verb", VERBS)
def test_the_listed_line_is_the_verb_s_own(verb):
    line = VERBS[verb]
    assert line.rstrip(".") in " ".join(
        (import_module(f"pipelines.commands.{verb.replace('-', '_')}").__doc__ or "").split()
    )


def test_an_unknown_verb_is_a_wrong_call(tmp_path):
    run = onje("trian", home=tmp_path)
    assert run.returncode == 2
    assert "train" in run.stderr


def test_the_version_is_told_without_a_verb(tmp_path):
    run = onje("--version", home=tmp_path)
    assert run.returncode == 0 and run.stdout.strip() == version("onje")


def test_what_must_run_first_is_said_without_a_traceback(tmp_path):
    run = onje("train", "churn", home=tmp_path)
    assert run.returncode == 12
    assert "onje ingest" in run.stderr and "Traceback" not in run.stderr


@pytest.mark.parametrize("verb", ["promote", "rollback", "evaluate"])
def test_a_model_that_there_is_not_is_named_with_those_there_are(verb, tmp_path):
    run = onje(verb, "affinity", home=tmp_path)
    assert run.returncode == 11
    assert "affinity-category" in run.stderr and "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["evaluate", "churn", "--version", "3"], "--card"),
        (["train", "--trials", "9", "churn"], "--tune"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(words, missing, tmp_path):
    run = onje(*words, home=tmp_path)
    assert run.returncode == 11
    assert f"add {missing}" in run.stderr


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2024-11-03", "2024-11-03T00:00:00+00:00"),
        ("2024-11-03T06:00", "2024-11-03T06:00:00+00:00"),
        ("2024-11-03T06:00:00+02:00", "2024-11-03T04:00:00+00:00"),
        ("9999-12-31", None),
        ("0001-01-01", None),
        ("yesterday", None),
    ],
)
def test_a_moment_is_utc_unless_it_says_otherwise(text, found):
    if found is None:
        with pytest.raises(typer.BadParameter):
            moment(text)
    else:
        assert moment(text).isoformat() == found


def test_an_error_is_json_where_json_was_asked_for(tmp_path):
    run = onje("train", "churn", "--json", home=tmp_path)
    assert run.returncode == 12
    assert json.loads(run.stdout)["error"] == "NotReadyError"
