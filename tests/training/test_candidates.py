"""Where candidates come from: each source plants what only it can find."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from features.items import Item, items_as_of
from features.tables import HISTORY, PRODUCTS
from tests.features.text import SETTINGS as FEATURES
from tests.features.text import when
from tests.training.test_affinity import SETTINGS
from training.affinity_quick import fit_quick
from training.affinity_tables import (
    LEAST_OF_A_TASTE,
    numbered_orders,
    tables_as_of,
    tables_of,
)
from training.model.candidates import INPUTS, Candidates, Limits, candidates_of
from training.model.known import Known, known_from
from training.model.own_items import SPEAKING
from training.model.quick import INPUTS as QUICK
from training.model.quick import quick_scores

NOW = when("2024-06-03")
WIDE = SETTINGS.affinity.model_copy(update={"tastes": 8, "neighbours": 5, "known_items": 500})
LIMITS = Limits(own=20, popular=1, scored=5, listed=50, depth=2)


def orders(*rows: tuple[str, int, str]) -> pl.DataFrame:
    """HISTORY of (customer, days ago, items with + between)."""
    lines = [
        {"customer_id": who, "at": NOW - timedelta(days=ago), "product_id": item,
         "order_id": f"{who}{ago}", "event_id": f"{who}{ago}{item}"}
        for who, ago, items in rows
        for item in items.split("+")
    ]  # fmt: skip
    return HISTORY.shape(
        pl.DataFrame(lines).with_columns(
            known_at="at",
            kind=pl.lit("order"),
            channel=pl.lit("web"),
            category=pl.col("product_id").str.head(1),
        )
    )


def crowd() -> pl.DataFrame:
    """Half buys kites: a kite, later its line, then a tail; half buys tea, always with honey."""
    kites = [(f"k{n}", 60 - 7 * step, item) for n in range(2 * LEAST_OF_A_TASTE + 5)
             for step, item in enumerate(("kite", f"extra{n}", "kline", "ktail"))]  # fmt: skip
    teas = [(f"t{n}", ago, "tea+honey") for n in range(2 * LEAST_OF_A_TASTE) for ago in (50, 20)]
    return orders(*kites, *teas, *((f"p{n}", 10, "popular") for n in range(200)))


def known_at(history: pl.DataFrame, as_of: datetime = NOW) -> Known:
    return known_from(tables_as_of(history, as_of, item="product_id", settings=WIDE))


def found(
    history: pl.DataFrame, *who: str, known: Known, shelf: pl.DataFrame | None = None
) -> Candidates:
    spine = pl.DataFrame({"customer_id": who}).with_columns(
        as_of=pl.lit(NOW).cast(pl.Datetime("us", "UTC"))
    )
    items = items_as_of(history, spine, item="product_id", settings=FEATURES)
    return candidates_of(items, spine, known, shelf=shelf, limits=LIMITS)


def names_by(one: Candidates, source: str) -> set[str]:
    of_source = pl.Series(np.isin(one.keys, one.sources[source]))
    return set(one.names.gather(one.code).filter(of_source))


def test_each_source_finds_what_was_planted_for_it() -> None:
    history = pl.concat([crowd(), orders(("ann", 30, "kite"), ("ben", 3, "tea"))])
    known = known_at(crowd())
    ann, ben = found(history, "ann", known=known), found(history, "ben", known=known)
    assert names_by(ann, "own") == {"kite"} and names_by(ben, "own") == {"tea"}
    # In no order of anybody's does a kite come with anything; those who like it like its line.
    assert names_by(ann, "together") == set() and names_by(ben, "together") == {"honey"}
    assert {"kline", "ktail"} <= names_by(ann, "liked")
    assert not {"tea", "honey"} & names_by(ann, "liked")
    taste = dict(zip(ann.names.gather(ann.code), ann.found["taste"], strict=True))
    assert taste["kline"] > 2 * taste["tea"] > 0  # everybody's taste is a part of hers
    assert names_by(ann, "popular") >= {"popular"}


def test_a_stranger_gets_what_is_popular_and_everybodys_taste() -> None:
    one = found(crowd(), "nobody", known=known_at(crowd()))
    assert names_by(one, "own") == names_by(one, "liked") == set()
    assert "popular" in names_by(one, "taste")


def shelf(*rows: tuple[str, str, int, bool]) -> pl.DataFrame:
    """PRODUCTS of (product, category, released days ago, available)."""
    return PRODUCTS.shape(
        pl.DataFrame(
            {
                "product_id": [row[0] for row in rows],
                "category": [row[1] for row in rows],
                "released_at": [NOW - timedelta(days=row[2]) for row in rows],
                "available": [row[3] for row in rows],
            }
        )
    )


def test_new_products_come_from_favoured_categories_once_they_are_out() -> None:
    history = pl.concat([crowd(), orders(("ann", 30, "kite"))])
    new = shelf(
        ("kreel", "k", 5, True), ("tkettle", "t", 5, True), ("kold", "k", 99, True),
        ("ksoon", "k", -1, True), ("kgone", "k", 5, False),
    )  # fmt: skip
    known = known_at(crowd())
    assert names_by(found(history, "ann", known=known, shelf=new), "new") == {"kreel"}
    one = found(history, "ann", known=known, shelf=new)
    inputs = pl.DataFrame(one.inputs(), schema=list(INPUTS)).with_columns(
        item=one.names.gather(one.code)
    )
    kreel = inputs.row(by_predicate=pl.col("item") == "kreel", named=True)
    assert kreel["category_weight"] == pytest.approx(1.0) and kreel["orders_365d"] == 0
    assert np.isnan(kreel["popularity"])


def test_alone_as_in_the_crowd_bit_for_bit() -> None:
    history = crowd()
    known = known_at(history)
    everybody = sorted(history["customer_id"].unique())
    all_, rows = found(history, *everybody, known=known), {}
    for name in ("k3", "t7", "p9"):
        place = everybody.index(name)
        rows[name] = np.flatnonzero(all_.place == place)
        alone = found(history, name, known=known)
        assert alone.names.gather(alone.code).equals(all_.names.gather(all_.code[rows[name]]))
        assert np.array_equal(alone.inputs(), all_.only(rows[name]).inputs(), equal_nan=True)


def test_tastes_are_means_of_many() -> None:
    tables = tables_as_of(crowd(), NOW, item="product_id", settings=WIDE)
    assert tables["tastes"]["taste"].n_unique() >= 3  # kites, teas and everybody at least
    extras = tables["popular"].with_row_index("code").filter(pl.col("item").str.contains("extra"))
    own = tables["tastes"].join(extras.select(pl.col("code").cast(pl.Int64)), on="code")
    # What one customer alone has bought weighs a twentieth of a taste at most.
    assert own["weight"].max() <= 1_000_000 / LEAST_OF_A_TASTE  # type: ignore[operator]
    assert not any("customer" in column for table in tables.values() for column in table.columns)


@pytest.mark.parametrize("item", ["product_id", "category"])
def test_lines_numbered_once_serve_every_date(item: Item) -> None:
    news = crowd().with_columns(
        pl.col("event_id") + "-late", at=pl.col("at") - timedelta(days=30), known_at=pl.lit(NOW)
    )
    history = pl.concat([crowd(), news, crowd()]).sample(fraction=1.0, shuffle=True, seed=1)
    lines = numbered_orders(history, item=item)
    for days in (0, 25, 45):
        as_of = NOW - timedelta(days=days)
        known = crowd().filter(pl.col("at") < as_of)
        of_lines = tables_of(lines, as_of, item=item, settings=WIDE)
        expected = tables_as_of(
            pl.concat([known, news.filter(days == 0)]), as_of, item=item, settings=WIDE
        )
        assert expected["popular"].height > 1
        for name, table in expected.items():
            assert of_lines[name].equals(table), (days, name)


def test_only_the_first_own_items_speak() -> None:
    many = [("ann", 1, f"x{n}") for n in range(SPEAKING + 5)]
    history = orders(*many, *(("bob", 1, row[2]) for row in many))
    known = known_at(history)
    wide = Limits(own=50, popular=1, scored=5, listed=50, depth=2)
    spine = pl.DataFrame({"customer_id": ["ann"]}).with_columns(
        as_of=pl.lit(NOW).cast(pl.Datetime("us", "UTC"))
    )
    items = items_as_of(history, spine, item="product_id", settings=FEATURES)
    one = candidates_of(items, spine, known, shelf=None, limits=wide)
    assert one.own.speaks.sum() == SPEAKING


def test_the_quick_score_learns_what_is_due() -> None:
    """Of two items ordered alike, the one that is due is ordered; it comes first afterwards."""
    dates = {"due": (90, 60, 30), "early": (70, 40, 10)}
    rows = [(f"c{n}", ago, item) for n in range(60) for item, at in dates.items() for ago in at]
    history = orders(*rows)
    one = found(history, *(f"c{n}" for n in range(60)), known=known_at(history))
    bought = (one.names.gather(one.code) == "due").to_numpy().astype(np.float64)
    weights = fit_quick([(one, bought)])
    assert weights["input"].to_list() == [*QUICK, "constant"]
    scores = quick_scores(one, weights)
    assert scores[bought == 1].min() > scores[bought == 0].max()
