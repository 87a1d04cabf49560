"""Each world is told of, and the page shows the figures that were measured last."""

import json

from pipelines.simulator import docs
from pipelines.simulator.facts import FACTS
from pipelines.simulator.worlds import WORLDS


def test_each_world_has_its_line():
    assert list(docs.WHAT) == list(WORLDS)
    said, *lines = docs.lines()
    assert "synthetic" in said
    assert [line.split()[0] for line in lines] == list(WORLDS)


def test_each_world_differs_from_the_default_in_what_its_line_says():
    rows = {line.split("`")[1]: line for line in docs._worlds() if line.startswith("| `")}
    assert list(rows) == list(WORLDS)
    assert "machine" not in rows["mpp"] and "mpp_share" in rows["mpp"]
    assert all(row.endswith("| – |") == (name == "default") for name, row in rows.items())


def test_each_figure_of_a_world_is_in_the_page_with_its_meaning():
    page = docs.page()
    for field in set(WORLDS["default"].model_dump()) - {"name"}:
        assert f"| {field} |" in page
    assert "| mpp_share | 0.04 | of customers" in page


def test_the_page_shows_the_stored_figures_of_every_fact():
    measured = json.loads(docs.RESULTS.read_text("utf-8"))
    page = docs.page()
    assert {row["fact"] for row in measured["facts"]} == {fact.name for fact in FACTS}
    for row in measured["facts"]:
        assert f"| {row['fact']} | {docs.figure(row['real'])}" in page
        assert f"| {docs.figure(row['world'])} | {docs.verdict(row['within'])}" in page
    assert "synthetic" in page


def test_figures_have_as_many_digits_as_say_something():
    shown = [docs.figure(value) for value in (None, 0.0, 0.00021, 0.0024, 0.1873, 2.75)]
    assert shown == ["–", "0", "0.00021", "0.0024", "0.187", "2.750"]
