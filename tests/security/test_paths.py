"""S7: names that lead out of their folder, over HTTP and on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from features.errors import OnjeError
from pipelines.cli import VERBS
from serving.models import ModelShelf
from tests.security.asked import OPERATIONS, operation
from training.registry import champions

ROOT = Path(__file__).parents[2]
LEADING_OUT = [
    "../outside", "..%2foutside", "%2e%2e/outside", "%2e%2e%2foutside", "..%5coutside",
    "....//outside", "%252e%252e%252foutside", "/etc/passwd", "%2fetc%2fpasswd", "C:%5cwindows",
    "outside%00.json", "..;/outside", "%c0%ae%c0%ae/outside", "~root", "file:%2f%2f%2fetc%2fpasswd",
]  # fmt: skip
IN_PATHS = [
    (path, method, one["name"])
    for path, method in OPERATIONS
    for one in operation(path, method).get("parameters", [])
    if one["in"] == "path"
]


NOTING: list[list[str]] = []
OPENING = {
    "open",
    "os.listdir",
    "os.scandir",
    "os.remove",
    "os.mkdir",
    "os.rename",
    "shutil.rmtree",
}


def note(event, given):
    if NOTING and event in OPENING and isinstance(given[0], str | bytes | os.PathLike):
        NOTING[-1].append(os.fsdecode(given[0]))


sys.addaudithook(note)


@pytest.fixture
def touched():
    """Files and folders that are opened, made or removed while this stands."""
    NOTING.append([])
    yield NOTING[-1]
    NOTING.clear()


def test_the_hook_sees_what_is_opened(touched, tmp_path):
    (tmp_path / "a").write_text("", "utf-8")
    assert str(tmp_path / "a") in touched


@pytest.mark.parametrize(("path", "method", "name"), IN_PATHS)
def test_nothing_outside_is_touched_over_http(service, touched, path, method, name):
    home = str(service.live.home)
    for text in LEADING_OUT:
        raw = path.replace("{" + name + "}", text)
        url = httpx.URL("http://onje", raw_path=raw.encode())
        answer = service.send(method=method.upper(), url=url)
        assert answer.status_code < 500, answer.text
        assert "root:" not in answer.text
    of_ours = (home, sys.prefix, sys.base_prefix, str(ROOT), "/proc/", "/usr/share/zoneinfo")
    outside = [one for one in touched if "outside" in one or not one.startswith(of_ours)]
    # SQLite's own and Python's caches aside, nothing was opened at all.
    assert not [one for one in outside if "outside" in one or one.startswith("/etc")]


# Each verb with names where it takes names; what it finds there is refused, and nothing is made.
def commands(name):
    yield ["train", name]
    yield ["promote", name]
    yield ["ingest", name]
    yield ["render", name]
    yield ["simulate", name]
    yield ["dead-letters", "list", "--source", name]
    yield ["export-customer", name, "--to", "out.json"]


def snapshot(folder):
    return {
        str(one.relative_to(folder)): one.stat().st_mtime_ns
        for one in folder.rglob("*")
        if one.is_file()
    }


LONG = pytest.mark.long
NAMES = ["../outside/secret", *(pytest.param(one, marks=LONG) for one in ("/etc/passwd", "a\nb"))]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_outside_is_touched_by_the_command_line(tmp_path, name):
    outside, home = tmp_path / "outside", tmp_path / "work" / "home"
    outside.mkdir()
    home.mkdir(parents=True)
    (outside / "secret").write_text("canary-7261", "utf-8")
    before = snapshot(outside)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "ONJE_HOME": str(home),
        "ONJE_SETTINGS": str(ROOT / "onje.toml"), "MLFLOW_DISABLE_TELEMETRY": "true",
    }  # fmt: skip
    calls = [one for one in commands(name) if one[0] in VERBS]
    assert len(calls) > 5
    code = (
        "import json, sys\nfrom pipelines.cli import main\n"
        "sys.argv = json.loads(sys.argv[1])\nmain()"
    )
    for call in calls:
        done = subprocess.run(
            [sys.executable, "-c", code, json.dumps(["onje", *call])],
            cwd=home.parent, env={**environment, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode != 0 or call[0] in ("dead-letters",), (call, said)
        assert "Traceback" not in said, (call, said)
        assert "canary-7261" not in said
        assert "root:" not in said
    assert snapshot(outside) == before
    assert {one.name for one in tmp_path.iterdir()} == {"outside", "work"}


@pytest.mark.parametrize(
    "told", ["../../outside", "/etc", "..", "versions/../../../outside", "\0", "link"]
)
def test_a_pointer_to_a_model_leads_nowhere_else(tmp_path, told):
    """What MLflow or a hand wrote into the pointer is a version, never a place."""
    home, outside = tmp_path / "home", tmp_path / "outside"
    folder = home / "models" / "churn"
    folder.mkdir(parents=True)
    outside.mkdir()
    (outside / "manifest.json").write_text("{}", "utf-8")
    (folder / "link").symlink_to(outside)
    (folder / "champion.json").write_text(json.dumps({"version": told}), "utf-8")
    (folder / "champion").write_text(told, "utf-8")
    try:
        found = champions(home)
    except OnjeError:
        return
    for place in found.values():
        assert place.resolve().is_relative_to(home.resolve()), place
    assert ModelShelf(home).current.versions
