"""What an operator does about decisions that go out: the verbs, the doctor and their page."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import application
from pipelines.doctor import examine
from pipelines.outputs.opening import secret_of, shown
from pipelines.signatures import signed
from tests.pipelines.followed import SECRET, Shop, receiver
from tests.pipelines.test_follow_killed import settings_text
from tests.serving.api.service import NOON

PAGE = Path(__file__).parents[2] / "docs" / "operate-follow.md"


@pytest.fixture
def other_side():
    with receiver() as opened:
        yield opened


@pytest.fixture
def home(tmp_path, other_side, monkeypatch):
    """An installation with ann, who left a cart a moment ago, and an output that nobody follows."""
    offset = (datetime.now(UTC).date() - NOON.date()).days
    (tmp_path / "onje.toml").write_text(settings_text(other_side, offset, attempts=2), "utf-8")
    monkeypatch.setenv("ONJE_HOME", str(tmp_path))
    monkeypatch.setenv("ONJE_SETTINGS", str(tmp_path / "onje.toml"))
    monkeypatch.setenv("ONJE_SECRET", SECRET.root.decode())
    opened = Shop(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", receiver=other_side)
    opened.open_for("ann")
    opened.now = datetime.now(UTC).replace(year=NOON.year, month=NOON.month, day=NOON.day)
    opened.happens("e1", "ann")
    time.sleep(0.15)  # so long it settles
    yield opened
    opened.close()


def onje(*words):
    done = CliRunner().invoke(application(words[0]), words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def outputs_finding():
    [finding] = [one for one in examine() if one.what == "outputs"]
    return finding


def test_from_the_cart_to_a_dead_letter_and_back(home, other_side):
    finding = outputs_finding()
    assert not finding.fine and "nobody has ever followed" in finding.found
    [told] = json.loads(onje("follow", "--dry-run", "--json"))
    assert told["action"] == "send"
    other_side.answers = [500] * 9
    for _ in range(40):  # each failure waits a little longer, up to 1.5 s
        onje("follow", "--once", "--json")
        if json.loads(onje("outbox", "list", "--json")):
            break
        time.sleep(0.2)
    [row] = json.loads(onje("outbox", "list", "--json"))
    assert (row["output"], row["kind"], row["status"]) == ("sender", "send", "500")
    finding = outputs_finding()
    assert not finding.fine and "1 of sender" in finding.found
    other_side.answers, before = [], len(other_side.got)
    assert json.loads(onje("outbox", "replay", "--all", "--json")) == {"replayed": 1}
    onje("follow", "--once", "--json")
    assert len(other_side.got) == before + 1
    assert json.loads(onje("outbox", "list", "--state", "delivered", "--json"))
    assert outputs_finding().fine


def test_an_output_that_wants_no_more_is_told_of_and_resumed(home, other_side):
    other_side.answers = [410]
    onje("follow", "--once", "--json")
    time.sleep(0.2)
    onje("follow", "--once", "--json")
    assert "onje outbox resume sender" in outputs_finding().do
    assert json.loads(onje("outbox", "resume", "sender", "--json"))["was_stopped"]
    onje("follow", "--once", "--json")
    assert len(other_side.got) == 2 and outputs_finding().fine


def test_the_page_s_ten_lines_know_our_letters(home):
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    space = {}
    exec(code, space)
    secret = onje("outbox", "secret", "sender").strip()
    assert secret == shown(secret_of("sender", {}, SECRET))
    key = secret_of("sender", {}, SECRET)
    headers = signed(key, identity="d1", at=datetime.now(UTC), body=b"{}")
    assert space["is_from_onje"](secret, headers, b"{}")
    assert not space["is_from_onje"](secret, headers, b"{ }")
    stale = signed(key, identity="d1", at=NOON, body=b"{}")
    assert not space["is_from_onje"](secret, stale, b"{}")
