"""S12: floors of versions with known holes, nothing that runs what it reads, no secrets."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
# The newest hole that reliability.md names was mended in these.
FLOORS = {"bentoml": "1.4.39", "mlflow": "3.17.2", "jinja2": "3.1.6"}
CODE = sorted(
    file
    for folder in ("features", "training", "serving", "pipelines", "benchmarks")
    for file in (ROOT / folder).rglob("*.py")
)
# Modules that run what they read, or read what they do not own, and calls that do.
MODULES = {"pickle", "cPickle", "joblib", "cloudpickle", "dill", "marshal", "shelve", "skops"}
NAMES = {"eval", "exec", "compile", "__import__"}
CALLS = {
    ("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load"), ("os", "system"),
    ("os", "popen"), ("pl", "Expr.deserialize"), ("pd", "read_pickle"), ("tempfile", "mktemp"),
    ("torch", "load"),
}  # fmt: skip


def tracked():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / one for one in done.stdout.split("\0") if one]


@pytest.mark.parametrize("name", FLOORS)
def test_the_project_asks_for_versions_without_known_holes(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = {one.name: one for one in map(Requirement, project["dependencies"])}
    # The release just below the floor must be refused by what is asked for.
    parts = Version(FLOORS[name]).release
    below = ".".join(map(str, (*parts[:-1], parts[-1] - 1)))
    assert not asked[name].specifier.contains(below)
    assert asked[name].specifier.contains(FLOORS[name])


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt"])
@pytest.mark.parametrize("name", FLOORS)
def test_the_locks_hold_versions_without_known_holes(lock, name):
    text = (ROOT / "locks" / lock).read_text("utf-8")
    found = re.findall(rf"^{name}==([^\s;\\]+)", text, re.MULTILINE)
    assert found
    assert all(Version(one) >= Version(FLOORS[name]) for one in found)


def dangerous(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            yield node.module
        elif isinstance(node, ast.Call):
            yield from _call(node)


def _call(node):
    called = node.func
    if isinstance(called, ast.Name) and called.id in NAMES:
        yield called.id
    if isinstance(called, ast.Attribute):
        owner = called.value.id if isinstance(called.value, ast.Name) else None
        if (owner, called.attr) in CALLS:
            yield f"{owner}.{called.attr}"
    for keyword in node.keywords:
        is_true = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        if keyword.arg in ("shell", "allow_pickle") and is_true:
            yield f"{keyword.arg}=True"


@pytest.mark.parametrize("file", CODE, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_runs_what_it_reads(file):
    assert not list(dangerous(ast.parse(file.read_text("utf-8"))))


@pytest.mark.parametrize(
    "code",
    ["import pickle", "from joblib import load", "yaml.load(x)", "eval(x)", "import cloudpickle",
     "subprocess.run(x, shell=True)", "np.load(f, allow_pickle=True)", "from skops import io"],
)  # fmt: skip
def test_the_search_finds(code):
    assert list(dangerous(ast.parse(code)))


def test_pictures_of_pages_escape_what_they_show():
    made = [
        (file, node)
        for file in CODE
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", ""))
        == "Environment"
    ]  # fmt: skip
    assert made
    for file, node in made:
        told = {keyword.arg for keyword in node.keywords}
        assert "autoescape" in told, file


SECRETS = [
    re.compile(r"onje_[0-9a-f]{8}_[A-Za-z0-9_-]{30,}"),
    re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"), re.compile(r"\bghp_[A-Za-z0-9]{36}\b"),
    re.compile(r"\bsk_live_[A-Za-z0-9]{16,}"), re.compile(r"\bxox[abp]-[A-Za-z0-9-]{20,}"),
    re.compile(r"\bwhsec_[A-Za-z0-9+/=]{24,}"),
    re.compile(r"postgresql(?:\+psycopg)?://[^\s:/@]+:[^\s@/]{3,}@(?!\{)"),
]  # fmt: skip


def test_no_file_of_the_repository_holds_a_secret():
    files = tracked()
    assert len(files) > 300
    found = []
    for file in files:
        if file.name == Path(__file__).name or not file.is_file() or file.stat().st_size > 2**21:
            continue
        text = file.read_bytes().decode("utf-8", "replace")
        # Passwords of tests are made up, and so are signing secrets of specifications.
        if file.is_relative_to(ROOT / "tests"):
            text = text.replace(":geheim@", "@").replace(":secret@", "@").replace("whsec_", "")
        found += [(str(file.relative_to(ROOT)), one.pattern) for one in SECRETS if one.search(text)]
    assert not found


def test_files_that_hold_secrets_are_never_tracked():
    names = {file.name for file in tracked()}
    assert not names & {"secret", ".env", "store.db", "mlflow.db", "id_rsa"}
    assert not [
        name for name in names if name.endswith((".pem", ".key", ".pkl", ".joblib", ".p12"))
    ]
