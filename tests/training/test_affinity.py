"""The affinity models on a shop of two tastes, whose truth is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import NotReadyError
from features.items import items_as_of
from features.tables import CUSTOMERS, HISTORY, PRODUCTS
from tests.features.text import SETTINGS as FEATURES
from tests.features.text import history, spine, when
from tests.training.drawn import RESAMPLING
from training.affinity import train_affinity
from training.affinity_cases import Cases, limits_of
from training.affinity_labels import ordered_after
from training.affinity_report import report_on_lists
from training.affinity_tables import popular_items, tables_as_of
from training.gate import judge
from training.model.candidates import INPUTS, candidates_of
from training.model.folder import load, save
from training.model.items import score_items
from training.model.known import known_from
from training.model.model import UNRECORDED, Model
from training.settings import AffinitySettings, TrainingSettings
from training.trained import About, Trained

START, DAYS, PEOPLE = when("2024-01-01"), 26 * 7, 80
NOW = START + timedelta(days=DAYS)
WEEK = timedelta(days=7)
SETTINGS = TrainingSettings.model_construct(
    resampling=RESAMPLING,
    affinity=AffinitySettings(
        horizon_days=14,
        every_days=14,
        train_snapshots=5,
        examples=20_000,
        own_candidates=6,
        popular_candidates=4,
        scored_candidates=8,
        listed_candidates=12,
        known_items=1_000,
        neighbours=3,
        tastes=4,
        popular_days=91,
        rounds=60,
        learning_rate=0.1,
        leaves=7,
        rows_in_leaf=20,
        shrinkage=1.0,
        seed=1,
    ),
)
# Which categories each taste orders in its weekly order, and how often.
TASTES = ({"tea": 0.8, "honey": 0.3, "bread": 0.5}, {"coffee": 0.8, "sugar": 0.3, "bread": 0.5})


@cache
def shop() -> pl.DataFrame:
    """Even customers love tea, odd ones coffee; once, long ago, each tried something else a lot."""
    random = np.random.default_rng(1)
    rows = []
    for number in range(PEOPLE):
        for week in range(DAYS // 7):
            at = START + timedelta(days=7 * week + number % 7, hours=12)
            wanted = {
                category
                for category, often in TASTES[number % 2].items()
                if random.random() < often
            } | ({"fad"} if week < 8 else set())
            rows += [
                {"customer_id": f"c{number}", "at": at, "category": category, "week": week}
                for category in sorted(wanted)
            ]
    frame = pl.DataFrame(rows).with_columns(
        event_id=pl.format("{}-{}-{}", "customer_id", "week", "category"),
        order_id=pl.format("{}-{}", "customer_id", "week"),
        product_id=pl.format("{}-1", "category"),
        kind=pl.lit("order"),
        channel=pl.lit("web"),
        amount=pl.lit(5),
        known_at="at",
    )
    return HISTORY.shape(frame.drop("week"))


def train(of: pl.DataFrame, *, item: str = "category") -> Trained:
    return train_affinity(
        of,
        CUSTOMERS.schema.create_empty(),
        PRODUCTS.schema.create_empty(),
        item=item,  # type: ignore[arg-type]
        known_until=NOW,
        settings=SETTINGS,
        feature_settings=FEATURES,
        about=About(
            lake_versions={"events": 3}, code_version="abc", trained_at=NOW, synthetic=False
        ),
    )


@cache
def trained() -> Trained:
    return train(shop())


def now(*names: str) -> pl.DataFrame:
    return pl.DataFrame({"customer_id": names}, schema={"customer_id": pl.String}).with_columns(
        as_of=pl.lit(NOW).cast(pl.Datetime("us", "UTC"))
    )


def scored(of: pl.DataFrame) -> pl.DataFrame:
    items = items_as_of(shop(), of, item="category", settings=FEATURES)
    return score_items(trained().model, items, of, shelf=None)


def everybody() -> pl.DataFrame:
    return now(*(f"c{number}" for number in range(PEOPLE)))


def test_tastes_learnt_of_other_categories_do_not_fit() -> None:
    here = FEATURES.model_dump(mode="json")
    assert trained().model.misfit(here) is None
    said = trained().model.misfit(here | {"category_depth": 1})
    assert said is not None and "category_depth=2, settings say category_depth=1" in said


def test_nobody_is_offered_the_other_taste() -> None:
    for row in scored(everybody()).filter(pl.col("rank") <= 2).iter_rows(named=True):
        assert row["item"] in TASTES[int(row["customer_id"][1:]) % 2]


def test_chances_are_those_of_the_horizon() -> None:
    tea_lovers = scored(everybody()).filter(
        pl.col("customer_id").str.slice(1).cast(pl.Int64) % 2 == 0
    )
    chance = dict(tea_lovers.group_by("item").agg(pl.col("probability").mean()).iter_rows())
    # Two weekly orders: tea 1 - .2^2, bread 1 - .5^2, honey 1 - .7^2.
    assert chance["tea"] == pytest.approx(0.96, abs=0.15)
    assert chance["bread"] == pytest.approx(0.75, abs=0.15)
    assert chance["honey"] == pytest.approx(0.51, abs=0.15)
    # A fad is over, however often it was bought.
    assert max(chance["fad"], chance["coffee"], chance["sugar"]) < 0.02


def test_it_beats_own_frequency() -> None:
    report = trained().report
    assert report.baseline == "own_frequency"
    assert report.gain.low > 0
    assert report.metrics["model"]["log_loss"].estimate < 0.5
    assert judge(trained().model, None, trained().examples, settings=RESAMPLING).promote


def test_each_row_gets_a_list_from_one_on() -> None:
    scores = scored(now("c1", "c0"))
    assert scores.columns == [
        "customer_id", "as_of", "item", "probability", "rank", "due_ratio", "days_since_order",
        "own",
    ]  # fmt: skip
    for name, rows in scores.group_by("customer_id", maintain_order=True):
        assert rows.get_column("rank").to_list() == list(range(1, rows.height + 1)), name
        assert rows.get_column("probability").is_sorted(descending=True)
        assert rows.get_column("item").n_unique() == rows.height
    assert scores.get_column("customer_id").unique(maintain_order=True).to_list() == ["c1", "c0"]
    assert scores.get_column("probability").is_between(0, 1, closed="none").all()


def test_own_items_say_when_they_were_ordered_and_others_do_not() -> None:
    scores = scored(now("c0"))
    assert set(scores.filter(pl.col("own"))["item"]) == {"tea", "honey", "bread", "fad"}
    others = scores.filter(~pl.col("own"))
    assert not others.is_empty()
    assert others.select("due_ratio", "days_since_order").null_count().row(0) == (
        others.height,
        others.height,
    )


def test_a_stranger_gets_what_is_popular() -> None:
    scores = scored(now("nobody"))
    popular = trained().model.tables["popular"]
    assert set(scores["item"]) == set(popular["item"])
    first = scores.get_column("item").head(1).item()
    assert first == popular.get_column("item").first() == "bread"
    assert not scores["own"].any()


def test_one_customer_alone_scores_as_in_the_crowd() -> None:
    crowd = scored(everybody())
    for name in ("c0", "c33", "c79"):
        assert scored(now(name)).equals(crowd.filter(customer_id=name))


def test_nobody_asked_nothing_answered() -> None:
    assert scored(now()).height == 0


def test_products_are_learnt_by_the_same_trainer() -> None:
    model = train(shop(), item="product_id").model
    items = items_as_of(shop(), now("c1"), item="product_id", settings=FEATURES)
    assert model.name == "affinity-product"
    assert score_items(model, items, now("c1"), shelf=None)["item"].first() == "coffee-1"


def test_what_happens_or_is_learnt_later_changes_nothing() -> None:
    later = shop().with_columns(pl.col("at", "known_at") + timedelta(days=DAYS))
    late_news = shop().with_columns(known_at=pl.lit(NOW + timedelta(seconds=1)))
    more = pl.concat([later, late_news]).with_columns(
        pl.col("event_id", "order_id") + "-later", category=pl.lit("future")
    )
    again = train(pl.concat([shop(), more])).model
    assert again.booster.text == trained().model.booster.text
    for name, table in trained().model.tables.items():
        assert again.tables[name].equals(table)


def test_the_model_comes_back_from_its_folder(tmp_path: Path) -> None:
    save(trained().model, trained().golden, tmp_path / "1")
    loaded = load(tmp_path / "1")
    items = items_as_of(shop(), now("c3"), item="category", settings=FEATURES)
    assert score_items(loaded, items, now("c3"), shelf=None).equals(scored(now("c3")))
    assert '"c3"' not in json.dumps(dict(loaded.about))
    assert "customer_id" not in trained().examples.columns


def test_too_little_history_is_explained() -> None:
    young = shop().filter(pl.col("at") > NOW - timedelta(days=20))
    with pytest.raises(NotReadyError, match="horizon_days"):
        train(young)


def test_where_nobody_ordered_twice_no_horizon_is_to_blame() -> None:
    first = shop().filter(pl.col("order_id") == pl.col("order_id").first().over("customer_id"))
    with pytest.raises(NotReadyError, match="none of .* customers ordered twice") as told:
        train(first)
    assert "horizon_days under" not in str(told.value)


ORDERS = history(
    """
    ann | 2024-05-01T09:00 | order | order=1 | category=tea    | amount=5
    ann | 2024-05-01T09:00 | order | order=1 | category=tea    | amount=7
    ann | 2024-05-07T23:59 | order | order=2 | category=coffee | amount=5
    ann | 2024-05-08T00:00 | order | order=3 | category=bread  | amount=5
    ann | 2024-04-30T23:59 | order | order=4 | category=honey  | amount=5
    ann | 2024-05-02T09:00 | view  |           category=sugar
    bob | 2024-05-02T09:00 | order | order=5 | category=fad    | amount=5 | known_at=2024-06-01
    eve | 2024-05-09T00:00 | order | order=6 | category=tea    | amount=5
    """
)


def ordered(*customers: str, known_until: str) -> list[tuple[str, str]]:
    return (
        ordered_after(
            ORDERS,
            spine(*((name, "2024-05-01") for name in customers)),
            item="category",
            horizon=WEEK,
            known_until=when(known_until),
        )
        .select("customer_id", "item")
        .rows()
    )


def test_a_label_covers_the_horizon_from_as_of_on() -> None:
    assert ordered("ann", known_until="2024-05-31") == [("ann", "coffee"), ("ann", "tea")]


def test_an_order_counts_once_it_is_known() -> None:
    assert ordered("bob", known_until="2024-05-31") == []
    assert ordered("bob", known_until="2024-06-01") == [("bob", "fad")]


def test_a_horizon_that_is_not_over_is_refused() -> None:
    with pytest.raises(ValueError, match="1 rows"):
        ordered("ann", known_until="2024-05-07")


def test_popularity_is_a_share_of_who_bought_anything() -> None:
    popular = popular_items(ORDERS, when("2024-05-09"), item="category", settings=SETTINGS.affinity)
    by_item = {row["item"]: row for row in popular.iter_rows(named=True)}
    # Bob's order is not known yet, Eve's is just being made: all that is left is Ann.
    assert "fad" not in by_item
    assert by_item["tea"]["popularity"] == pytest.approx(0.0)
    assert by_item["tea"]["habit"] == 1.0
    assert by_item["tea"]["trend"] == pytest.approx(0.0)


def test_own_candidates_are_the_ones_ordered_most() -> None:
    of = now("c0")
    items = items_as_of(shop(), of, item="category", settings=FEATURES)
    limits = limits_of(SETTINGS.affinity, FEATURES)
    found = candidates_of(
        items, of, known_from(trained().model.tables), shelf=None, limits=replace(limits, own=2)
    )
    names = found.names.gather(found.code)
    most = items.sort("weight_120d", descending=True).head(2)
    assert set(names.filter(pl.Series(found.mine >= 0))) == set(most["item"])
    inputs = pl.DataFrame(found.inputs(), schema=list(INPUTS))
    assert inputs["own_items"].unique().to_list() == [2.0]
    orders = shop().filter(pl.col("customer_id") == "c0")["order_id"].n_unique()
    assert inputs["own_orders"].unique().to_list() == [float(orders)]


def test_no_interval_goes_where_its_metric_cannot() -> None:
    people = [f"c{number}" for number in range(12)]
    ordered = now(*people).with_columns(item=pl.lit("tea"), repeat=pl.lit(True))
    cases = Cases(
        candidates=pl.concat([ordered, ordered.with_columns(item=pl.lit("ink"))])
        .drop("repeat")
        .with_columns(label=(pl.col("item") == "tea").cast(pl.Float64), scored=pl.lit(True)),
        ordered=ordered,
        recall={},
    )
    # One of twelve finds what was ordered; the rule finds it for all the others.
    finds = np.array([1.0, *[0.0] * 11])
    order = np.concatenate([finds, 1 - finds])
    report = report_on_lists(
        cases,
        {"model": np.where(order > 0.5, 0.99, 0.01), "rule": np.where(order > 0.5, 0.01, 0.99)},
        {"model": order, "rule": 1 - order},
        baseline="rule",
        top=1,
        facts={},
        settings=RESAMPLING,
    )
    model, rule = report.metrics["model"], report.metrics["rule"]
    assert model["recall_at_1"].estimate == pytest.approx(1 / 12)
    assert 0 < model["recall_at_1"].low < 1 / 12 < model["recall_at_1"].high < 1
    assert rule["brier"].low > 0 and rule["log_loss"].low > 0
    assert model["recall_at_1_gain"].low == -1


def test_recall_counts_what_was_no_candidate() -> None:
    def pairs(*items: str) -> pl.DataFrame:
        return now(*["ann"] * len(items)).with_columns(item=pl.Series(items))

    cases = Cases(
        candidates=pairs("tea", "coffee", "bread").with_columns(
            label=pl.Series([1.0, 0.0, 1.0]), scored=pl.lit(True)
        ),
        ordered=pairs("tea", "bread", "honey", "sugar").with_columns(
            repeat=pl.Series([True, True, False, False])
        ),
        recall={"own": 0.5},
    )
    chances = np.array([0.9, 0.5, 0.1])
    report = report_on_lists(
        cases,
        {"model": chances, "rule": np.full(3, 0.5)},
        {"model": chances, "rule": np.array([0.0, 1.0, 2.0])},
        baseline="rule",
        top=2,
        facts={},
        settings=RESAMPLING,
    )
    model, rule = report.metrics["model"], report.metrics["rule"]
    assert model["recall_at_2"].estimate == pytest.approx(1 / 4)  # of four, only tea
    assert model["repeat_recall_at_2"].estimate == pytest.approx(1 / 2)
    assert model["explore_recall_at_2"].estimate == 0
    assert rule["recall_at_2"].estimate == pytest.approx(1 / 4)  # only bread
    assert model["recall_at_2_gain"].estimate == 0
    assert report.facts["candidate_recall"] == pytest.approx(2 / 4)
    assert report.facts["found_by"] == {"own": 0.5}
    losses = -np.log([0.9, 0.5, 0.1])
    assert report.gain.estimate == pytest.approx(np.log(2) - losses.mean())


def test_without_categories_products_are_learnt_and_it_is_said_what_would_help() -> None:
    nameless = shop().with_columns(category=pl.lit(None, pl.String))
    with pytest.raises(NotReadyError, match="none of .* order lines has a category.*mapping"):
        train(nameless)
    assert train(nameless, item="product_id").report.gain.estimate > 0


def test_without_products_it_is_said_what_would_help() -> None:
    nameless = shop().with_columns(product_id=pl.lit(None, pl.String))
    with pytest.raises(NotReadyError, match="names a product; name `product_id`.*Churn"):
        train(nameless, item="product_id")


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        ({"scored_candidates": 2}, lambda model: model.tables["candidates"]["scored"].item()),
        ({"listed_candidates": 3}, lambda model: model.tables["candidates"]["listed"].item()),
        ({"known_items": 10}, lambda model: model.tables["popular"].height),
        ({"neighbours": 1}, lambda model: model.tables["links"].height),
        ({"tastes": 1}, lambda model: model.tables["tastes"]["taste"].n_unique()),
    ],
)
def test_each_setting_changes_what_travels(
    changed: dict[str, int], differs: Callable[[Model], int]
) -> None:
    wide = shop()
    extra = wide.with_columns(category=pl.col("category") + pl.col("customer_id").str.slice(2))
    both = pl.concat([wide, extra.with_columns(pl.col("event_id") + "x")])
    tables = {}
    for name, update in (("as it is", {"tastes": 2}), ("changed", {"tastes": 2} | changed)):
        chosen = SETTINGS.affinity.model_copy(update=update)
        tables[name] = {
            **tables_as_of(both, NOW, item="category", settings=chosen),
            "candidates": pl.DataFrame([asdict(limits_of(chosen, FEATURES))]),
        }
    before, after = (
        Model("affinity-category", UNRECORDED, INPUTS, trained().model.booster, one, about={})
        for one in tables.values()
    )
    assert differs(before) > differs(after)


def test_lists_end_and_trees_look_at_their_first_items_only() -> None:
    limits = trained().model.tables["candidates"]
    few = replace(
        trained().model,
        tables={
            **trained().model.tables,
            "candidates": limits.with_columns(scored=pl.lit(2), listed=pl.lit(4)),
        },
    )
    items = items_as_of(shop(), everybody(), item="category", settings=FEATURES)
    short = score_items(few, items, everybody(), shelf=None)
    assert short.group_by("customer_id").len()["len"].unique().to_list() == [4]
    whole = scored(everybody()).select("customer_id", "item", whole="probability")
    same = (
        short.join(whole, on=["customer_id", "item"])
        .group_by("rank")
        .agg((pl.col("probability") == pl.col("whole")).all())
        .sort("rank")
    )
    # The trees' probabilities, then the quick score's own.
    assert same["probability"].to_list() == [True, True, False, False]
