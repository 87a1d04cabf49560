from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)
HEAVY = ("sklearn", "pandas", "mlflow", "lightgbm", "matplotlib")
LOADED = "import sys; print(*sorted(sys.modules))"
ORIGINS = """
import sys
packages = {'features', 'training', 'serving', 'pipelines'}
ours = [module for name, module in sys.modules.items() if name.split('.')[0] in packages]
print(*(module.__file__ for module in ours if module.__file__))
"""


def run(code, folder):
    # PATH alone: no ONJE_ variable of whoever runs the tests may reach the service.
    environment = {"PATH": os.environ["PATH"], "ONJE_HOME": str(folder / ".onje")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def bundled():
    return yaml.safe_load((ROOT / "bentofile.yaml").read_text("utf-8"))


@pytest.mark.parametrize("module", ["pipelines.service", "serving.answer", "training.registry"])
def test_importing_what_serves_loads_nothing_heavy(module):
    loaded = run(f"import {module}; {LOADED}", ROOT)
    assert module in loaded
    assert not {name.split(".")[0] for name in loaded} & set(HEAVY)


def test_the_bundle_holds_all_that_the_service_imports_and_no_training(tmp_path):
    for pattern in bundled()["include"]:
        found = list(ROOT.glob(pattern))
        assert found, f"bentofile.yaml includes {pattern}, which is not there"
        for file in found:
            (tmp_path / file.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tmp_path / file.relative_to(ROOT))
    origins = [Path(name) for name in run(f"import pipelines.service\n{ORIGINS}", tmp_path)]
    assert tmp_path / "serving" / "service.py" in origins
    assert [origin for origin in origins if not origin.is_relative_to(tmp_path)] == []
    shipped = {file.name for file in (tmp_path / "training").glob("*.py")}
    # What a model is, where it is kept and how one that MLflow moved is brought here; no more.
    of_registry = {"registry.py", "registry_database.py", "registry_pull.py"}
    assert shipped <= {"__init__.py", "settings.py"} | of_registry
    assert {"env.py"} <= {file.name for file in (tmp_path / "serving").rglob("migrations/*.py")}


def imported_by(file):
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_the_bundle_installs_all_that_its_files_import_as_it_is_tested_here():
    files = [file for pattern in bundled()["include"] for file in ROOT.glob(pattern)]
    modules = {name for file in files if file.suffix == ".py" for name in imported_by(file)}
    of_module = packages_distributions()
    needed = {name for module in modules for name in of_module.get(module.split(".")[0], ())}
    needed = needed - {"onje"} | {"lightgbm"}  # whose library is loaded without importing it
    assert {"bentoml", "polars", "SQLAlchemy"} <= needed
    lock = (ROOT / bundled()["python"]["requirements_txt"]).read_text("utf-8")
    locked = {(canonical(name), pinned) for name, pinned in PINNED.findall(lock)}
    assert {(canonical(name), version(name)) for name in needed} <= locked
