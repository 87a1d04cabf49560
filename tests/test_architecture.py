"""Third-party libraries stay in their homes, and what must be light stays light."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("features", "training", "serving", "pipelines")
FILES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]

HOMES = {
    "deltalake": ("features/lake",),
    "dataframely": ("features/contracts.py", "features/tables.py"),
    "lightgbm": ("training/",),
    "sklearn": ("training/",),
    "mlflow": ("training/registry",),
    "matplotlib": ("training/plots",),
    "sklift": ("training/uplift",),
    "sqlalchemy": ("serving/store/", "training/registry_database.py"),  # the latter: its errors
    "bentoml": ("serving/service.py",),
    "opentelemetry": ("serving/tracing.py", "serving/batching.py", "serving/request_metrics.py"),
    "fastapi": ("serving/", "pipelines/service.py"),
    "httpx": ("pipelines/",),
    "typer": ("pipelines/",),
    "rich": ("pipelines/",),
}


def imported_by(file):
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_libraries_stay_in_their_homes(file):
    place = str(file.relative_to(ROOT))
    strangers = {
        library
        for library in imported_by(file)
        if library in HOMES and not place.startswith(HOMES[library])
    }
    assert not strangers, f"{place} imports {strangers}, at home in {[HOMES[s] for s in strangers]}"


def test_what_a_model_is_needs_no_lightgbm_package():
    for file in (ROOT / "training" / "model").glob("*.py"):
        assert not {"lightgbm", "sklearn", "pandas", "mlflow"} & set(imported_by(file)), file


@pytest.mark.parametrize("word", ["pickle", "joblib", "cloudpickle", "dill"])
def test_nothing_is_pickled(word):
    assert not [file for file in FILES if word in set(imported_by(file))]


@pytest.mark.parametrize(
    ("module", "too_heavy"),
    [
        ("pipelines.service", {"sklearn", "pandas", "mlflow", "lightgbm", "matplotlib"}),
        ("pipelines.cli", {"polars", "lightgbm", "mlflow", "bentoml", "sqlalchemy"}),
    ],
)
def test_importing_stays_light(module, too_heavy, tmp_path):
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", "ONJE_HOME": str(tmp_path), "HOME": str(tmp_path)},
    )  # fmt: skip
    assert not too_heavy & set(run.stdout.split())


def test_serving_is_kept_from_everything_that_makes_models():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    forbidden = set(contracts["contracts"][1]["forbidden_modules"])
    homes = (ROOT / "training").iterdir()
    modules = {f"training.{home.stem}" for home in homes if home.suffix == ".py" or parts(home)}
    assert forbidden == modules - {"training.__init__", "training.registry", "training.model"}


def parts(home):
    return list(home.glob("*.py"))
