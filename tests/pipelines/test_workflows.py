"""`onje workflows`: what steps there are, and where a customer stands in them."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from features.errors import NotReadyError
from features.tables import CUSTOMERS
from pipelines.cli import application
from serving.store import Store
from tests.serving.histories import FEATURES, shelf
from tests.spec.workflows.lives import events

LIFE = """
    day | what
    -9  | signup; agree
    0   | welcome
    1   | visit
"""


@pytest.fixture
def ask(tmp_path, monkeypatch):
    monkeypatch.setenv("ONJE_HOME", str(tmp_path))
    store = Store.open(f"sqlite:///{tmp_path / 'store.db'}", patience_s=5.0)
    nobody = CUSTOMERS.schema.create_empty()
    store.publish(
        events(LIFE), nobody, shelf(), newest_events=FEATURES.newest_events, compaction=0, about={}
    )
    store.close()

    def ask(*words):
        shown = CliRunner().invoke(
            application("workflows"), ["workflows", *words], catch_exceptions=False
        )
        assert shown.exit_code == 0
        return shown.output

    return ask


def test_the_list_tells_steps_and_ends(ask):
    told = ask()
    assert "brand_story or social_proof" in told
    assert "3 days after step 1" in told
    named = {one["workflow"]: one for one in json.loads(ask("--json"))}
    assert list(named) == ["welcome_series", "post_purchase", "re_engagement"]
    assert named["re_engagement"]["steps"][1]["emails"] == ["win_back_2", "feedback_request"]


def test_where_a_customer_stands(ask):
    rows = json.loads(ask("--customer", "ann", "--as-of", "2026-01-09", "--json"))
    stands = {row.pop("workflow"): row for row in rows}
    assert stands["welcome_series"] == {
        "state": "running", "began_with": "welcome", "started_days": 3.5, "at_step": 1, "due": 2,
        "ended_by": None, "may_begin": False, "due_emails": ["brand_story", "social_proof"],
        "sunset": False,
    }  # fmt: skip
    assert stands["re_engagement"]["state"] == "not_begun"
    assert stands["re_engagement"]["may_begin"] is True
    assert "brand_story" in ask("--customer", "ann", "--as-of", "2026-01-09")


def test_of_a_stranger_nothing_can_be_said(ask):
    with pytest.raises(NotReadyError, match="knows nothing of customer bob; `onje publish`"):
        ask("--customer", "bob")
