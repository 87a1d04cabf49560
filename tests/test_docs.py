"""Pages do not rot: links lead somewhere, printed pages and examples are what code says."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from pipelines.cli import VERBS
from pipelines.pages import PAGES, settings_page
from pipelines.settings import Settings
from serving.email_defaults import EMAIL_DEFAULTS
from serving.schemas.decisions import DecisionRequest
from serving.schemas.events import EventsRequest

ROOT = Path(__file__).parent.parent
BY_HAND = [ROOT / n for n in ("README.md", "README.ko.md", "CONTRIBUTING.md", "CHANGELOG.md")]
WRITTEN = [*BY_HAND, *sorted((ROOT / "docs").rglob("*.md"))]
MODELS = {"decide": DecisionRequest, "events": EventsRequest}


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("name", PAGES)
def test_a_printed_page_is_what_code_says(name):
    assert (ROOT / "docs" / name).read_text("utf-8") == PAGES[name](), "type `make docs`"


def test_every_verb_is_in_the_guide_or_the_readme():
    told = (ROOT / "README.md").read_text("utf-8") + (ROOT / "docs/guide.md").read_text("utf-8")
    untold = {verb for verb in VERBS if f"onje {verb}" not in told} - {"demo", "features"}
    assert not untold


def test_every_setting_of_a_table_has_its_meaning():
    """In the page of settings; tables of one kind ([workflows.A], [workflows.B]) share theirs.

    The e-mails share one explanation above their first table.
    """
    tables = tomllib.loads((ROOT / "onje.toml").read_text("utf-8"))
    assert set(tables) == {*Settings.model_fields, EMAIL_DEFAULTS}
    page = settings_page().split("## [emails.")[0]
    of_kind = {"workflows", "segments", "experiments"}
    told, untold = set(), set()
    for title, rows in re.findall(r"^## \[([\w.]+)\]\n(.*?)(?=^## |\Z)", page, re.M | re.S):
        kind = title.split(".")[0] if title.split(".")[0] in of_kind else title
        for key, meaning in re.findall(r"^\| `(\w+)` \| `.*` \| (.*) \|$", rows, re.M):
            (told if meaning else untold).add((kind, key))
    assert len(told) > 40
    assert not untold - told


def examples():
    for name in ("README.md", "README.ko.md", "docs/guide.md"):
        text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
        for route, body in re.findall(r"/v1/(decide|events)\b[^\n]*?-d '(\{.*?\})'\n", text):
            yield pytest.param(route, body, id=f"{name} {route} {body[:30]}")


@pytest.mark.parametrize(("route", "body"), list(examples()))
def test_the_curls_are_accepted(route, body):
    asked = MODELS[route].model_validate(json.loads(body))
    faults = [event for event in getattr(asked, "events", []) if hasattr(event, "found")]
    assert not faults


def test_the_guide_has_both_curls():
    assert sorted({example.values[0] for example in examples()}) == ["decide", "events"]
