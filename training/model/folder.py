"""A trained model at rest: a folder of text, Parquet and JSON, with the SHA-256 of each file.

    model.lgb        LightGBM's text format        tables/*.parquet   what was learnt beside it
    about.json       name, inputs, origin, metrics golden.json        rows and their raw scores
    manifest.json    the SHA-256 of each of them

golden.json holds the SHA-256 of the others as well, taken on the day of training: a manifest that
was made anew over damage convinces nobody. There is no pickle in it, and nothing is believed before
it was tried: LightGBM 4.7 answers a damaged model.lgb with a crash of the process, a hang, or wrong
scores in silence.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

import polars as pl

from features.errors import DamagedError
from training.model.booster import Booster
from training.model.model import Model
from training.model.verify import ABOUT, GOLDEN, MANIFEST, TREES, read_checked

# What a folder holds, by number: raise it whenever a model is read in another way than before.
FORMAT = 3
TRIAL_LIMIT_S = 10.0
PACKAGES = Path(__file__).parents[2]


def save(model: Model, golden: pl.DataFrame, folder: Path) -> None:
    """Write `model` to `folder`, whole or not at all; `golden` holds some rows of its inputs.

    The version is not written: it is the name of the folder in which the registry puts it.
    """
    contents = {
        TREES: model.booster.text.encode(),
        ABOUT: _json(
            {
                "format": FORMAT,
                "name": model.name,
                "inputs": model.inputs,
                "about": dict(model.about),
            }
        ),
    }
    for name, table in model.tables.items():
        contents[f"tables/{name}.parquet"] = _parquet(table)
    contents[GOLDEN] = _json({
        "inputs": golden.columns,
        "rows": golden.fill_nan(None).rows(),
        "raw": model.raw(golden).to_list(),
        "sha256": _digests(contents),
    })  # fmt: skip
    contents[MANIFEST] = _json({"sha256": _digests(contents)})

    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    for name, content in contents.items():
        file = unfinished / name
        file.parent.mkdir(exist_ok=True)
        with file.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    unfinished.chmod(0o755)  # mkdtemp's 0700 would hide the model from a server of another user
    unfinished.rename(folder)


def load(folder: Path) -> Model:
    """The model in `folder`, after its manifest and a trial in a child process agree.

    Raises DamagedError, and this process stays whole, whatever has happened to the files.
    """
    contents = read_checked(folder)
    _try_in_a_child(folder)
    # From here on the very bytes that were checked are used, whatever happens to the files now.
    described = json.loads(contents[ABOUT])
    if described.get("format") != FORMAT:
        raise DamagedError(
            f"the model in {folder} was trained by another release, and this one reads its tables "
            "otherwise; type `onje train all --promote` to train it anew"
        )
    return Model(
        name=described["name"],
        version=folder.name,
        inputs=tuple(described["inputs"]),
        booster=Booster.from_text(contents[TREES].decode()),
        tables={
            Path(name).stem: pl.read_parquet(io.BytesIO(content))
            for name, content in contents.items()
            if name.startswith("tables/")
        },
        about=described["about"],
    )


def _try_in_a_child(folder: Path) -> None:
    command = [sys.executable, "-m", "training.model.verify", str(folder.resolve())]
    try:
        # Started where the packages lie, so that it finds them whether they are installed or not.
        trial = subprocess.run(
            command,
            cwd=PACKAGES,
            stdout=subprocess.DEVNULL,  # LightGBM can fill gigabytes with warnings before it dies
            stderr=subprocess.PIPE,
            timeout=TRIAL_LIMIT_S,
        )
    except subprocess.TimeoutExpired as problem:
        raise DamagedError(
            f"the model in {folder} did not score its golden rows within {TRIAL_LIMIT_S:.0f} s; "
            "type `onje doctor` to try again, or `onje train all --promote` to train it anew"
        ) from problem
    if trial.returncode != 0:
        said = trial.stderr.decode(errors="replace").strip()
        raise DamagedError(
            f"the model in {folder} failed its trial: {said or f'it ended with {trial.returncode}'}"
        )


def _digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def _json(content: object) -> bytes:
    # allow_nan=False: NaN is not JSON, and other readers of these files would choke on it.
    return json.dumps(content, indent=1, allow_nan=False).encode()


def _parquet(table: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.write_parquet(stream)
    return stream.getvalue()
