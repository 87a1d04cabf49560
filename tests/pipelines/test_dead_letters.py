"""onje dead-letters: what could not become an event is seen, tried again, or let go."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import typer
from typer.testing import CliRunner

from features.errors import DataError
from pipelines.commands.dead_letters import add_to
from pipelines.doctor import examine
from pipelines.hooks import generic
from pipelines.installation import opened
from serving.store import Delivery

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
BROKEN = [{"customer_id": "ann", "kind": f"teleport-{number}"} for number in (1, 2, 3)]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An installation with three dead letters of one delivery, as the service leaves them."""
    monkeypatch.setenv("ONJE_HOME", str(tmp_path))
    body = json.dumps({"events": BROKEN}).encode()
    with opened() as onje:
        onje.store.keep_deliveries([Delivery(generic.NAME, NOW, {"webhook-id": "m"}, body)])
    parse_what_waits()
    return tmp_path


def parse_what_waits():
    with opened() as onje:
        lasts = timedelta(minutes=2)
        for one in onje.store.claim_deliveries([generic.NAME], limit=9, now=NOW, lasts=lasts):
            parsed = generic.parse(one.delivery, NOW)
            onje.store.settle_delivery(one, parsed.events, parsed.dead, at=NOW)


def counts():
    with opened() as onje:
        return onje.store.delivery_counts()


def ran(*words, **more):
    app = typer.Typer()
    add_to(app)
    return CliRunner().invoke(app, ["dead-letters", *map(str, words)], **more)


def told(*words):
    """What a verb prints as JSON."""
    done = ran(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout.splitlines()[-1])


def test_the_list_tells_number_source_and_reason_of_each():
    rows = told("list")
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert {row["source"] for row in rows} == {"generic"}
    assert all("kind" in row["reason"] for row in rows)
    assert told("list", "--source", "generic") == rows
    assert told("list", "--source", "shopify") == []
    assert "Dead letters" in ran("list").stdout


def test_where_there_are_none_the_list_says_so():
    told("drop", "--all", "--yes")
    assert "no dead letters" in ran("list").output
    assert told("list") == []


def test_one_is_shown_with_its_whole_body_and_headers():
    shown = told("show", 2)
    assert json.loads(shown["body"]) == {"events": [BROKEN[1]]}
    assert shown["headers"] == {"webhook-id": "m"}
    assert "teleport-2" in ran("show", 2).stdout


def test_what_is_replayed_waits_again_and_comes_back_under_a_new_number_if_still_broken():
    assert told("replay", 1, 3) == {"replayed": 2}
    assert counts() == {"waiting": 2, "dead": 1}
    parse_what_waits()
    assert [row["number"] for row in told("list")] == [2, 4, 5]
    assert told("replay", "--all", "--source", "generic") == {"replayed": 3}


def test_what_is_dropped_to_a_file_stands_there_whole(tmp_path):
    kept = tmp_path / "kept.jsonl"
    for number in (1, 2):
        assert told("drop", number, "--to", kept) == {"dropped": 1, "kept_in": str(kept)}
    assert kept.stat().st_mode & 0o777 == 0o600
    assert '"received_at": "2026-01-05T12:00:00+00:00"' in kept.read_text("utf-8")
    rows = [json.loads(line) for line in kept.read_text("utf-8").splitlines()]
    assert [json.loads(row["body"])["events"] for row in rows] == [[BROKEN[0]], [BROKEN[1]]]
    assert counts() == {"waiting": 0, "dead": 1}


def test_nothing_is_dropped_for_good_unasked():
    assert ran("drop", 1, input="n\n").exit_code == 1
    assert counts()["dead"] == 3
    assert ran("drop", 1, input="y\n").exit_code == 0
    assert counts()["dead"] == 2


@pytest.mark.parametrize("verb", [("show",), ("replay",), ("drop", "--yes")])
def test_an_unknown_number_is_named_and_nothing_happens(verb):
    numbers = (99,) if verb == ("show",) else (1, 99)
    done = ran(verb[0], *numbers, *verb[1:])
    assert isinstance(done.exception, DataError)
    assert "no dead letter 99; see `onje dead-letters list`" in str(done.exception)
    assert counts() == {"waiting": 0, "dead": 3}


@pytest.mark.parametrize("words", [("replay",), ("drop",), ("replay", 1, "--all")])
def test_which_are_meant_is_said_by_number_or_by_all(words):
    done = ran(*words)
    assert done.exit_code == 2 and "--all" in done.output


def test_the_doctor_counts_those_that_wait_and_those_that_are_dead():
    told("replay", 1)
    [found] = [finding for finding in examine() if finding.what == "webhooks"]
    assert found.found == "1 deliveries wait to be parsed, 2 dead letters"
    assert not found.fine and "onje dead-letters" in found.do
    told("drop", "--all", "--yes")
    [found] = [finding for finding in examine() if finding.what == "webhooks"]
    assert found.fine
