"""A model folder comes back as it was saved, or not at all; whatever was done to its files."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path

import pytest

from features.errors import DamagedError
from tests.training import grown
from training.model import folder

MODEL = grown.model()
FRAME, _ = grown.rows(200, seed=9)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models") / "churn" / "7"
    folder.save(MODEL, FRAME.head(20), place)
    return place


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "7"))


def sign_again(place: Path) -> None:
    """Write a manifest for the files as they are: damage from before the manifest was made."""
    digests = {
        file.relative_to(place).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in place.rglob("*")
        if file.is_file() and file.name != "manifest.json"
    }
    (place / "manifest.json").write_text(json.dumps({"sha256": digests}))


def test_a_model_comes_back_as_it_was(saved: Path) -> None:
    back = folder.load(saved)
    assert back.probability(FRAME).to_list() == MODEL.probability(FRAME).to_list()
    assert (back.name, back.version, back.inputs) == ("churn", "7", grown.INPUTS)
    assert back.tables["curve"].equals(MODEL.tables["curve"])
    assert back.about == MODEL.about


def test_there_is_nothing_in_it_but_text_and_parquet(saved: Path) -> None:
    files = {file.relative_to(saved).as_posix() for file in saved.rglob("*") if file.is_file()}
    assert files == {
        "model.lgb",
        "about.json",
        "golden.json",
        "manifest.json",
        "tables/curve.parquet",
    }
    assert [place.name for place in saved.parent.iterdir()] == ["7"]


@pytest.mark.parametrize("name", ["model.lgb", "about.json", "golden.json", "tables/curve.parquet"])
@pytest.mark.parametrize("damage", ["truncated", "one bit", "gone"])
def test_a_changed_file_is_refused_by_name(copy: Path, name: str, damage: str) -> None:
    file = copy / name
    content = bytearray(file.read_bytes())
    if damage == "gone":
        file.unlink()
    else:
        content[len(content) // 2] ^= 1
        file.write_bytes(content[: len(content) // 2] if damage == "truncated" else content)
    with pytest.raises(DamagedError, match=name):
        folder.load(copy)


@pytest.mark.parametrize("manifest", ["", "{", "[]", "{}", '{"sha256": 3}'])
def test_a_manifest_that_cannot_be_read_is_refused(copy: Path, manifest: str) -> None:
    (copy / "manifest.json").write_text(manifest)
    with pytest.raises(DamagedError):
        folder.load(copy)


def test_a_file_that_nobody_promised_is_refused(copy: Path) -> None:
    (copy / "tables" / "more.parquet").write_bytes(b"")
    with pytest.raises(DamagedError, match="more.parquet"):
        folder.load(copy)


@pytest.mark.parametrize("number", range(12))
def test_trees_damaged_before_they_were_signed_do_no_harm(
    copy: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LightGBM crashes, hangs or lies here; this process must live and must not lie."""
    monkeypatch.setattr(folder, "TRIAL_LIMIT_S", 3.0)  # some of these hang
    dice = random.Random(number)
    trees = copy / "model.lgb"
    content = bytearray(trees.read_bytes())
    if number < 4:
        content = content[: dice.randrange(len(content))]
    else:
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(7)
    trees.write_bytes(content)
    sign_again(copy)
    try:
        back = folder.load(copy)
    except DamagedError:
        return
    golden = FRAME.head(20)
    assert back.raw(golden).to_list() == pytest.approx(MODEL.raw(golden).to_list(), rel=1e-8)


def test_trees_that_lie_are_found_by_the_golden_rows(copy: Path) -> None:
    other = grown.model(seed=2).booster.text
    (copy / "model.lgb").write_text(other)
    sign_again(copy)
    with pytest.raises(DamagedError, match="golden row 0 scores"):
        folder.load(copy)


@pytest.mark.parametrize("file", ["about.json", "golden.json"])
def test_inputs_in_another_order_are_refused(copy: Path, file: str) -> None:
    content = json.loads((copy / file).read_text())
    (copy / file).write_text(json.dumps(content | {"inputs": content["inputs"][::-1]}))
    sign_again(copy)
    with pytest.raises(DamagedError, match="the trees know the inputs"):
        folder.load(copy)


def test_a_trial_that_does_not_end_is_a_refusal(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "TRIAL_LIMIT_S", 0.001)
    with pytest.raises(DamagedError, match="did not score its golden rows within"):
        folder.load(saved)


def test_nothing_is_believed_of_an_empty_place(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="no readable manifest.json"):
        folder.load(tmp_path / "absent")
