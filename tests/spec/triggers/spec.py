"""How the pages of this folder are run: one e-mail of one trigger, asked about drawn customers.

A customer differs from a calm one (tests/serving/shop.py) in what the table names. `because` is
what is said of them, "-" where the e-mail does not apply; `worth_for` is for how many hours more
it is worth something.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from serving.candidates import candidates_of
from serving.hours import with_window
from serving.settings import ServingSettings
from serving.triggers import TRIGGERS
from tests.serving.drawn import drawn
from tests.serving.histories import SHELF, answers
from tests.serving.shop import SHOP, customer, questions_about, shop
from training.model.model import Model

# What a table tells beside what a customer is like.
TOLD = ("because", "worth_for")
PLAIN = SHOP.emails["recommendation"].model_dump()


def only(
    trigger: str, parameters: Mapping[str, float], deadline_hours: float = 48
) -> ServingSettings:
    """A shop whose only e-mail has this trigger and bears its name."""
    email = {
        **PLAIN, "trigger": trigger, "parameters": parameters, "deadline_hours": deadline_hours,
    }  # fmt: skip
    settings = shop({}, {})
    return settings.model_copy(update={"emails": {trigger: type(SHOP.emails["welcome"])(**email)}})


def check(
    trigger: str, parameters: Mapping[str, float], table: str, *, deadline_hours: float = 48
) -> None:
    """Each row of the table is so."""
    rows, arms = drawn(table), _arms(trigger, parameters, table, deadline_hours)
    assert arms.height == len(rows)
    for row, arm in zip(rows, arms.iter_rows(named=True), strict=True):
        assert (arm["reason"] if arm["applies"] else None) == row["because"], row
        assert arm["applies"] == (row["because"] is not None), row
        if arm["applies"] and "worth_for" in row:
            assert arm["hours"] == row["worth_for"], row


def whom(trigger: str, parameters: Mapping[str, float], table: str) -> list[bool]:
    """Whether it applies to the customer of each row."""
    return _arms(trigger, parameters, table, 48).get_column("applies").to_list()


def _arms(
    trigger: str, parameters: Mapping[str, float], table: str, deadline_hours: float
) -> pl.DataFrame:
    people = [
        customer(**{name: value for name, value in row.items() if name not in TOLD})
        for row in drawn(table)
    ]
    settings = only(trigger, parameters, deadline_hours)
    return with_window(candidates_of(questions_about(people, settings), settings)).with_columns(
        hours=((pl.col("ends_at") - pl.col("as_of")).dt.total_seconds() / 3600).round(2)
    )


def shown(
    trigger: str,
    parameters: Mapping[str, float],
    past: str,
    *,
    on_shelf: str = SHELF,
) -> list[str]:
    """The products that the e-mail shows Ann, of this past, on Tuesday 2026-03-03 at 16:00 UTC."""
    answer = answers(
        "ann | consent | 2025-01-01T00:00 | granted\n" + past,
        "ann",
        settings=only(trigger, parameters),
        emails=[trigger],
        on_shelf=on_shelf,
    )
    return answer["products"].item().to_list()


def shows_what_they_are_likeliest_to_order(trigger: str) -> bool:
    """What that is, is told in tests/serving/test_answer.py."""
    return TRIGGERS[trigger].picks == "ranked"


def knowing_that(*pairs: str) -> Model:
    """A model that knows no more than what goes with what: "bread goes with milk 5 times"."""
    told = [pair.split() for pair in pairs]
    names = sorted({name for words in told for name in (words[0], words[3])})
    links = pl.DataFrame(
        {
            "code": [names.index(words[0]) for words in told],
            "neighbour": [names.index(words[3]) for words in told],
            "weight": [int(words[4]) for words in told],
            "kind": ["together"] * len(told),
        }
    )
    tables = {"popular": pl.DataFrame({"item": names}), "links": links}
    return Model("affinity-product", "1", (), None, tables, {})
