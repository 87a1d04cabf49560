"""Where the root secret comes from."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from features.errors import SettingsError
from pipelines.places import places
from pipelines.root_secret import root_secret


def test_it_is_made_once_for_its_owner_alone(tmp_path):
    home = tmp_path / "home"
    at = places({"ONJE_HOME": str(home)})
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: root_secret(at).root, range(32)))

    assert len(found) == 1
    file = home / "secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert len(file.read_text().strip()) == 64
    assert [path.name for path in home.iterdir()] == ["secret"]


def test_the_environment_goes_before_the_file(tmp_path):
    said = "a secret that somebody else keeps safe"
    at = places({"ONJE_HOME": str(tmp_path), "ONJE_SECRET": said})

    assert root_secret(at).root == said.encode()
    assert not list(tmp_path.iterdir())
    assert said not in repr(at)


def test_one_that_is_too_short_is_refused(tmp_path):
    (tmp_path / "secret").write_text("swordfish\n")
    with pytest.raises(SettingsError, match=r"has 9 bytes; ONJE_SECRET or the file"):
        root_secret(places({"ONJE_HOME": str(tmp_path)}))
