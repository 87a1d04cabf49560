"""The guide's own example, run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines.ingest.ingested import Account
from pipelines.ingest.mapping import CustomerFields, EventFields, ProductFields
from pipelines.ingest.mapping_file import load_mapping
from pipelines.ingest.table import read_table
from tests.pipelines.ingest.files import NOW, written

GUIDE = (Path(__file__).parents[3] / "docs" / "data-in.md").read_text("utf-8")


def block(language: str) -> str:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, flags=re.DOTALL)[0]


@pytest.fixture
def example(tmp_path):
    mapping = load_mapping(written(tmp_path, "orders.toml", block("toml")))
    return read_table(written(tmp_path, "orders.csv", block("csv")), mapping, now=NOW)


def test_the_example_does_what_the_guide_says(example):
    assert example.accounts[0] == Account(
        "orders.csv",
        rows=7,
        became={"order": 2, "refund": 1, "duplicate": 1},
        rejected={
            "a guest: no customer is named": 1,
            "not a product": 1,
            "units is not a number": 1,
        },
        samples=example.accounts[0].samples,
    )
    for reason in example.accounts[0].rejected:
        assert f"`{reason}`" in GUIDE


@pytest.mark.parametrize("part", [EventFields, CustomerFields, ProductFields])
def test_the_guide_names_every_field_of_a_mapping(part):
    for field in part.model_fields:
        assert f"`{field}" in GUIDE or f"{field} =" in GUIDE or f".{field}." in GUIDE, field


def test_the_guide_quotes_what_the_package_says_of_itself():
    said = "intended for educational and\nexploratory data analysis purposes only"
    assert f'"{said}"' in GUIDE
