"""A model folder comes back as it was saved, or not at all; whatever was done to its files."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
from pathlib import Path

import pytest

from features.errors import DamagedError
from tests.training import grown
from training.model import folder
from training.model.verify import read_checked

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


def sign_again(place: Path, *, from_the_first_day: bool = False) -> None:
    """Write a manifest for the files as they are: damage from before the manifest was made, and
    with `from_the_first_day` from before anything was signed.
    """

    def digests(*without: str) -> dict[str, str]:
        return {
            file.relative_to(place).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in place.rglob("*")
            if file.is_file() and file.name not in without
        }

    if from_the_first_day:
        golden = json.loads((place / "golden.json").read_text())
        signed = golden | {"sha256": digests("manifest.json", "golden.json")}
        (place / "golden.json").write_text(json.dumps(signed))
    (place / "manifest.json").write_text(json.dumps({"sha256": digests("manifest.json")}))


def test_a_model_comes_back_as_it_was(saved: Path) -> None:
    back = folder.load(saved)
    assert back.probability(FRAME).to_list() == MODEL.probability(FRAME).to_list()
    assert (back.name, back.version, back.inputs) == ("churn", "7", grown.INPUTS)
    assert back.tables["curve"].equals(MODEL.tables["curve"])
    assert back.about == MODEL.about


@pytest.mark.parametrize("written", [{}, {"format": folder.FORMAT + 1}])
def test_a_model_of_another_release_is_refused_whatever_it_would_score(
    copy: Path, written: dict[str, int]
) -> None:
    about = json.loads((copy / "about.json").read_text())
    del about["format"]
    (copy / "about.json").write_text(json.dumps(about | written))
    sign_again(copy, from_the_first_day=True)
    with pytest.raises(DamagedError, match="trained by another release"):
        folder.load(copy)


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


def damaged(content: bytes, number: int) -> bytes:
    """A copy that went wrong in one of many ways; the same number, the same damage."""
    dice, changed = random.Random(number), bytearray(content)
    place = dice.randrange(len(content))
    match number % 6:
        case 0:
            return content[:place]
        case 1:
            changed[place] ^= 1 << dice.randrange(8)
        case 2:
            for _ in range(50):
                changed[dice.randrange(len(content))] = dice.randrange(256)
        case 3:
            lines = content.split(b"\n")
            del lines[dice.randrange(len(lines))]
            return b"\n".join(lines)
        case 4:
            end = dice.randrange(place, len(content))
            return content[:place] + content[end:]
        case _:
            digits = [n for n, byte in enumerate(content) if byte in b"0123456789"] or [place]
            changed[dice.choice(digits)] = dice.choice(b"0123456789")
    return bytes(changed)


def test_damage_under_a_manifest_made_anew_never_reaches_who_serves(
    saved: Path, tmp_path: Path
) -> None:
    """350 mutations of any file of a model, each signed again: refused, or nothing is changed."""
    whole, refused = MODEL.probability(FRAME).to_list(), 0
    names = [
        "model.lgb",
        "model.lgb",
        "model.lgb",
        "about.json",
        "golden.json",
        "tables/curve.parquet",
    ]
    for number in range(350):
        place = Path(shutil.copytree(saved, tmp_path / str(number) / "7"))
        file = place / names[number // 6 % len(names)]
        content = file.read_bytes()
        file.write_bytes(damaged(content, number))
        changed = file.read_bytes() != content
        sign_again(place)
        try:
            read_checked(place)
        except DamagedError:
            refused += 1
            continue
        # What is left: the damage changed nothing, or hit golden rows, which only the trial reads.
        assert not changed or file.name == "golden.json"
        try:
            back = folder.load(place)
        except DamagedError:
            refused += 1
            continue
        assert back.probability(FRAME).to_list() == whole
        assert back.tables["curve"].equals(MODEL.tables["curve"]) and back.about == MODEL.about
    assert refused > 300


MUTATIONS = [
    *(pytest.param(number, id=f"{number}") for number in range(18)),
    *(pytest.param(number, id=f"{number}", marks=pytest.mark.long) for number in range(18, 350)),
]


@pytest.mark.parametrize("number", MUTATIONS)
def test_trees_damaged_before_anybody_signed_neither_crash_nor_hang(
    copy: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LightGBM crashes, hangs or lies here: trees are looked at before it sees them."""
    monkeypatch.setattr(folder, "TRIAL_LIMIT_S", 8.0)
    trees = copy / "model.lgb"
    trees.write_bytes(damaged(trees.read_bytes(), number))
    sign_again(copy, from_the_first_day=True)
    golden = FRAME.head(20)
    try:
        back = folder.load(copy)
    except DamagedError as refusal:
        # The child said what is wrong: it was neither killed by a signal nor by the clock.
        assert not re.search(r"it ended with|did not score its golden rows within", str(refusal))
        return
    assert back.raw(golden).to_list() == pytest.approx(MODEL.raw(golden).to_list(), rel=1e-8)


def test_trees_that_lie_are_found_by_the_golden_rows(copy: Path) -> None:
    other = grown.model(seed=2).booster.text
    (copy / "model.lgb").write_text(other)
    sign_again(copy)
    with pytest.raises(DamagedError, match="model.lgb .* not what it was on the day of training"):
        folder.load(copy)
    sign_again(copy, from_the_first_day=True)
    with pytest.raises(DamagedError, match="golden row 0 scores"):
        folder.load(copy)


@pytest.mark.parametrize("file", ["about.json", "golden.json"])
def test_inputs_in_another_order_are_refused(copy: Path, file: str) -> None:
    content = json.loads((copy / file).read_text())
    (copy / file).write_text(json.dumps(content | {"inputs": content["inputs"][::-1]}))
    sign_again(copy, from_the_first_day=True)
    with pytest.raises(DamagedError, match="the trees know the inputs"):
        folder.load(copy)


def test_a_folder_from_before_golden_rows_held_digests_is_still_good(copy: Path) -> None:
    golden = json.loads((copy / "golden.json").read_text())
    del golden["sha256"]
    (copy / "golden.json").write_text(json.dumps(golden))
    sign_again(copy)
    assert folder.load(copy).raw(FRAME).to_list() == MODEL.raw(FRAME).to_list()


def test_a_table_that_was_not_there_on_the_day_of_training_is_refused(copy: Path) -> None:
    (copy / "tables" / "more.parquet").write_bytes(b"")
    sign_again(copy)
    with pytest.raises(DamagedError, match="more.parquet .* on the day of training"):
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
