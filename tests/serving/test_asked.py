"""Conditions in SQL: what may be asked, what is refused, and that each row stands alone."""

from __future__ import annotations

import polars as pl
import pytest

from serving.asked import COLUMNS, condition

KNOWN = [*COLUMNS, "is_vip"]
PEOPLE = pl.DataFrame(
    {
        "orders": [0.0, 3.0, 7.0, None],
        "churn": [None, 0.4, 0.9, 0.5],
        "spend_365d": [0.0, 900.0, 1200.0, None],
        "segment": ["prospect", "loyal", None, "occasional"],
        "last_category": ["tea", "now", None, "it's"],
        "is_vip": [False, True, None, False],
    }
)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("orders >= 3", [False, True, True, False]),
        ("spend_365d > 1000 AND orders >= 3", [False, False, True, False]),
        ("NOT (orders >= 3)", [True, False, False, False]),  # unknown is not "no"
        ("churn IS NULL OR churn > .45", [True, False, True, True]),
        ("COALESCE(churn, 1) > .5", [True, False, True, False]),
        ("segment IN ('loyal', 'new')", [False, True, False, False]),
        ("segment NOT IN ('loyal')", [True, False, False, True]),
        ("segment LIKE 'lo%'", [False, True, False, False]),
        ("last_category = 'it''s'", [False, False, False, True]),
        ("orders BETWEEN 1 AND 3", [False, True, False, False]),
        ("orders / 3 > 1", [False, False, True, False]),
        ("CASE WHEN orders > 3 THEN churn > 0.8 ELSE orders = 0 END", [True, False, True, False]),
        ("is_vip", [False, True, False, False]),
        ("NOT is_vip", [True, False, False, True]),
        ("ABS(orders - 3) < 1", [False, True, False, False]),
        ("last_category = 'now'", [False, True, False, False]),  # a word, not a clock
    ],
)
def test_a_condition_holds_for_a_row_and_what_cannot_be_decided_does_not(text, holds):
    columns = PEOPLE.columns
    assert PEOPLE.select(condition(text, columns)).to_series().to_list() == holds
    alone = [PEOPLE[row : row + 1].select(condition(text, columns)).item() for row in range(4)]
    assert alone == holds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cart_waiting > 1", "did you mean cart_waiting_hours"),
        ('segment = "loyal"', "write a text in single quotes: 'loyal'"),
        ("orders", "write a comparison"),
        ("1", "write a comparison"),
        ("orders > 'x'", "cannot be decided"),
        ("orders > 3 AND", "is no condition in SQL"),
        ("", "is no condition in SQL"),
        ("segment = 'loyall'", "no segment is called 'loyall'; did you mean 'loyal'?"),
        ("orders > 3 AND segment NOT IN ('new', 'Loyal')", "did you mean 'loyal'?"),
        ("NOT ('buys' <> stage)", "no stage is called 'buys'; did you mean 'buy'?"),
        ("CASE WHEN cart_stage = 'basket' THEN orders > 1 END", "are none, cart, checkout"),
        ("country IN ('kr')", "no country is called 'kr'; did you mean 'KR'?"),
        ("country = 'Korea'", "write it as ISO 3166 does: 'KR'"),
        ("SUM(orders) > 3", "one customer at a time, and this looks at other rows"),
        ("EXP(orders) > 3", "Exp is not known here"),
        ("COUNT(*) > 3", "one customer at a time"),
        ("orders > AVG(orders)", "one customer at a time"),
        ("RANK() OVER (ORDER BY orders) > 1", "one customer at a time"),
        ("FIRST(orders) > 1", "one customer at a time"),
        ("EXISTS (SELECT 1)", "one customer at a time"),
        ("orders > (SELECT 1)", ""),
        ("orders > 1; DROP TABLE people", "is no condition in SQL"),
        ("orders AS x", "one customer at a time"),
        ("CURRENT_DATE > '2020-01-01'", "CURRENT_DATE is not known here"),
        ("orders > 1 OR now() > 1", "now is not known here"),
        ("RANDOM() > 0.5", "is no condition in SQL"),
        ("CAST(segment AS INT) > 1", "cannot be decided"),  # would fail at the first customer
        ("CAST(orders AS INT) > 1", "cannot be decided"),
        ("segment ~ '('", "cannot be decided"),
        ("customer_id = 'ann'", "nothing is called customer_id"),
        ("(" * 900 + "orders > 1" + ")" * 900, ""),
        ("x" * 3_000, "2,000 letters at most"),
    ],
)
def test_whatever_else_is_refused_in_words_before_anybody_is_decided(text, said):
    with pytest.raises(ValueError, match=None) as refused:
        condition(text, [*KNOWN, "customer_id"])
    assert said in str(refused.value)
