"""Related products: something goes with what they ordered."""

from __future__ import annotations

import polars as pl

from serving.pick_sources import Sources
from serving.products import picks_of
from serving.tables import UTC
from tests.serving.histories import history, shelf
from tests.serving.shop import NOW
from tests.spec.triggers.spec import check, knowing_that, shown
from training.model.model import Model

PARAMETERS = {"after_days": 4, "before_days": 21}
CUSTOMERS = """
    days_since_order | because                                             | worth_for
    3.9              | -                                                   | -
    4                | some products go with what they ordered 4 days ago  | 48
    21               | some products go with what they ordered 21 days ago | 48
    21.1             | -                                                   | -
    -                | -                                                   | -
"""


def test_whom_it_is_for_and_what_is_said():
    check("related_products", PARAMETERS, CUSTOMERS, deadline_hours=48)


def test_where_nobody_knows_what_goes_together_it_shows_the_same_category():
    past = """
        ann | order | 2026-02-20T10:00 | bread | 5
    """
    assert shown("related_products", PARAMETERS, past) == ["bun"]


def test_it_shows_what_is_ordered_together_the_most_often_first():
    model = knowing_that("bread goes with soap 3 times", "bread goes with milk 5 times")
    assert shown_with(model, "ann | order | 2026-02-20T10:00 | bread | 5") == ["milk", "soap"]


def test_products_that_go_alike_with_an_order_come_by_name_whatever_the_order_of_the_sums():
    """0.1 + 0.2 + 0.3 is more than 0.3 + 0.2 + 0.1, to the computer."""
    bought = ("bread", "bun", "cup")
    names = [*bought, "milk", "soap"]
    alike = [(0, 3, 0.1), (1, 3, 0.2), (2, 3, 0.3), (0, 4, 0.3), (1, 4, 0.2), (2, 4, 0.1)]
    past = "\n".join(f"ann | order | 2026-02-20T10:00 | {item} | 5" for item in bought)
    for turn in range(20):
        told = pl.DataFrame(
            alike[turn % 6 :] + alike[: turn % 6],
            schema=["code", "neighbour", "weight"], orient="row",
        )  # fmt: skip
        tables = {
            "popular": pl.DataFrame({"item": names}),
            "links": told.with_columns(kind=pl.lit("together")),
        }
        model = Model("affinity-product", str(turn), (), None, tables, {})
        assert shown_with(model, past) == ["milk", "soap"]


def shown_with(model, past):
    nothing = pl.DataFrame(
        schema={"customer_id": pl.String, "as_of": UTC, "item": pl.String,
                "probability": pl.Float64, "days_since_order": pl.Float64,
                "due_ratio": pl.Float64, "own": pl.Boolean}
    )  # fmt: skip
    sources = Sources(
        items=nothing, history=history(past),
        shelf=shelf(), seen=nothing, affinity=model, category_depth=2, currency="USD",
        due_share=0.8, recently_bought_days=7,
    )  # fmt: skip
    wanted = pl.DataFrame(
        {"person": [0], "customer_id": ["ann"], "as_of": [NOW], "about": ["BAKERY > BREAD"],
         "picks": ["related"]},
        schema_overrides={"as_of": UTC},
    )  # fmt: skip
    return picks_of(wanted, sources)["products"].item().to_list()
