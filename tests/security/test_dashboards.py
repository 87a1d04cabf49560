"""What dashboard and alerts ask for is what there is, and nothing of it is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from pipelines.follow_metrics import FollowMetrics
from serving.metrics import Metrics

FOLDER = Path(__file__).parents[2] / "docs" / "grafana"
DASHBOARD = json.loads((FOLDER / "onje.json").read_text("utf-8"))
ALERTS = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
ASKED = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
RULES = [rule["expr"] for rule in ALERTS]
NAME = re.compile(r"\bonje_\w+")


@pytest.fixture(scope="module")
def metrics():
    """Name of each series (and of its family) with the labels it has."""
    registry = CollectorRegistry()
    Metrics.on(registry)
    FollowMetrics.on(registry)
    found = {}
    for collector in set(registry._collector_to_names):
        labels = set(collector._labelnames)
        suffixes = {
            "counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count"),
        }[collector._type]  # fmt: skip
        found |= {f"{collector._name}{suffix}": (collector._name, labels) for suffix in suffixes}
    return found


@pytest.mark.parametrize("asked", [*ASKED, *RULES])
def test_every_series_and_label_that_is_asked_for_exists(metrics, asked):
    names = NAME.findall(asked)
    assert names or asked.startswith("up{")
    labels = {"le", "job"}
    for name in names:
        assert name in metrics, name
        labels |= metrics[name][1]
    used = set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"", asked))
    for group in re.findall(r"\bby \(([^)]*)\)", asked):
        used |= {one.strip() for one in group.split(",")}
    assert used <= labels


def test_the_dashboard_shows_everything_that_is_counted(metrics):
    families = {family for family, _ in metrics.values()}
    shown = {metrics[name][0] for asked in ASKED for name in NAME.findall(asked)}
    assert families == shown


def test_legends_name_labels_that_there_are(metrics):
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            labels = set().union(*(metrics[name][1] for name in NAME.findall(target["expr"])))
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= labels


def test_panels_do_not_cover_each_other():
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y) for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }  # fmt: skip
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_no_label_can_hold_a_customer(metrics):
    assert set().union(*(labels for _, labels in metrics.values())) == {
        "action", "degraded", "kind", "model", "operation", "outcome", "output", "reason", "route",
        "source", "stage", "state", "status", "version", "what",
    }  # fmt: skip


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_urgent_it_is_and_the_page_what_to_do(rule):
    page = (FOLDER.parent / "operate-observe.md").read_text("utf-8")
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert len(rule["annotations"]["summary"]) > 20
    assert f"`{rule['alert']}`" in page
