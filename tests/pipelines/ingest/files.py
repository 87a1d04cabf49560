"""Small files for the tests of ingest: drawn as text, written as a shop would write them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pipelines.ingest.ingested import Ingested
from pipelines.ingest.mapping_file import load_mapping
from pipelines.ingest.table import read_table

NOW = datetime(2024, 7, 1, tzinfo=UTC)

MAPPING = """
source = "shop"

[time]
at = "when"
timezone = "Europe/Berlin"
known_at = "at"

[event]
kind = { constant = "order" }
channel = { constant = "web" }
customer_id = "who"
order_id = "basket"
product_id = "what"
quantity = "units"
amount = "paid"
currency = { constant = "EUR" }

[[rules]]
reason = "a guest"
when = [{ column = "who", missing = true }]
then = "reject"

[[rules]]
reason = "goods came back"
when = [{ column = "units", at_most = -1 }]
then = "refund"

[duplicates]
exact = "drop"

[consent]
how = "unknown"

[products]
title = "what"

[products.availability]
how = "all"
"""


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def drawn(text: str) -> str:
    """A CSV of what is drawn with bars: `who | when` and so on."""
    lines = [line for line in text.strip().splitlines()]
    return "\n".join(",".join(cell.strip() for cell in line.split("|")) for line in lines) + "\n"


def ingested(folder: Path, rows: str, mapping: str = MAPPING) -> Ingested:
    file = written(folder, "rows.csv", drawn(rows))
    return read_table(file, load_mapping(written(folder, "map.toml", mapping)), now=NOW)
