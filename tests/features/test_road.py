"""What makes the one road trustworthy: no future, no order, no duplicates, nobody else."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import past
from features.build import features_as_of
from features.catalog import CATALOG
from features.contracts import ALWAYS_KEPT
from features.items import items_as_of, popularity_as_of
from features.permissions import permissions_as_of
from features.profiles import hours_as_of
from tests.features.text import SETTINGS, customers, history, spine, when, world

HISTORY, CUSTOMERS = world(people=12, events=6_000, seed=7)
SPINE = pl.DataFrame({"customer_id": [f"c{n}" for n in range(13)]}).join(
    pl.DataFrame(
        {"as_of": [when("2024-04-01T00:30"), when("2024-11-03T05:30"), when("2025-02-01")]}
    ),
    how="cross",
)

Road = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]
ROADS: dict[str, Road] = {
    "features": lambda h, s: features_as_of(h, s, CUSTOMERS, settings=SETTINGS),
    "hours": lambda h, s: hours_as_of(h, s, CUSTOMERS, settings=SETTINGS),
    "categories": lambda h, s: items_as_of(h, s, item="category", settings=SETTINGS),
    "products": lambda h, s: items_as_of(h, s, item="product_id", settings=SETTINGS),
    "permissions": permissions_as_of,
}


@pytest.fixture(params=ROADS)
def road(request: pytest.FixtureRequest) -> Road:
    return ROADS[request.param]


def test_the_world_is_worth_testing_on() -> None:
    """Every feature takes more than one value in it, so that a difference would show."""
    described = ROADS["features"](HISTORY, SPINE)
    flat = {f.name for f in CATALOG if described.get_column(f.name).n_unique() < 2}
    # The same for everybody in `world`.
    assert flat <= {"household_size", "children", "income_thousands"}
    for name, road in ROADS.items():
        assert road(HISTORY, SPINE).height >= 39, name


def test_nothing_after_as_of_changes_anything(road: Road) -> None:
    as_of = when("2024-11-03T05:30")
    rows = SPINE.filter(as_of=as_of)
    happened_and_known = HISTORY.filter(pl.col("at") < as_of, pl.col("known_at") <= as_of)
    if road is permissions_as_of:  # an act is known before it is due: suppression acts at once
        happened_and_known = HISTORY.filter(pl.col("known_at") <= as_of)
    assert 0 < happened_and_known.height < HISTORY.height
    assert road(HISTORY, rows).equals(road(happened_and_known, rows))


def test_what_is_known_only_later_changes_nothing(road: Road) -> None:
    as_of = when("2024-11-03T05:30")
    rows = SPINE.filter(as_of=as_of)
    is_late = (pl.col("at") < as_of) & (pl.col("known_at") > as_of)
    assert HISTORY.filter(is_late).height > 20
    assert road(HISTORY, rows).equals(road(HISTORY.filter(~is_late), rows))


def test_what_customers_say_later_changes_nothing() -> None:
    as_of = when("2024-04-01T00:30")
    rows = SPINE.filter(as_of=as_of)
    earlier = CUSTOMERS.filter(pl.col("known_at") <= as_of)
    assert 0 < earlier.height < CUSTOMERS.height
    for road in (features_as_of, hours_as_of):
        now = road(HISTORY, rows, CUSTOMERS, settings=SETTINGS)
        assert now.equals(road(HISTORY, rows, earlier, settings=SETTINGS))


def test_a_moment_counts_from_just_after_it() -> None:
    told = history("ann | 2024-05-01T09:00 | order | order=o | amount=5 | channel=web")
    at_once, after = (
        features_as_of(
            told,
            spine(("ann", "2024-05-01T09:00")).with_columns(pl.col("as_of") + later),
            customers(),
            settings=SETTINGS,
        )
        for later in (timedelta(0), timedelta(microseconds=1))
    )
    assert at_once["orders"].item() == 0
    assert after["orders"].item() == 1


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_neither_order_nor_duplicates_matter(seed: int) -> None:
    dice = random.Random(seed)
    numbers = list(range(HISTORY.height))
    dice.shuffle(numbers)
    shuffled = HISTORY[numbers + numbers[: dice.randrange(1, 300)]]
    people = CUSTOMERS[dice.sample(range(CUSTOMERS.height), CUSTOMERS.height)]
    rows = SPINE[:15]
    for name, road in ROADS.items():
        assert road(shuffled, rows).equals(road(HISTORY, rows)), name
    mixed = features_as_of(shuffled, rows, people, settings=SETTINGS)
    assert mixed.equals(ROADS["features"](HISTORY, rows))


def test_of_two_tellings_the_earliest_known_counts(road: Road) -> None:
    retold = HISTORY.with_columns(
        known_at=pl.col("known_at") + timedelta(days=1), amount=pl.col("amount") * 2
    ).cast(HISTORY.schema)
    assert road(pl.concat([retold, HISTORY]), SPINE).equals(road(HISTORY, SPINE))


def test_one_alone_is_as_in_the_crowd_bit_for_bit(road: Road) -> None:
    crowd = road(HISTORY, SPINE)
    for customer, as_of in SPINE.iter_rows():
        alone = road(
            HISTORY.filter(customer_id=customer),
            SPINE.filter(customer_id=customer, as_of=as_of),
        )
        same = crowd.filter(customer_id=customer, as_of=as_of)
        assert alone.equals(same), (customer, as_of)


def test_portions_change_nothing(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = road(HISTORY, SPINE)
    monkeypatch.setattr(past, "_LINES_AT_A_TIME", 500)
    assert len(list(past.portions(HISTORY, SPINE))) > 5
    keys = [name for name in whole.columns if name in ("customer_id", "as_of", "item", "hour")]
    assert road(HISTORY, SPINE).sort(keys).equals(whole.sort(keys))


def test_only_the_newest_events_count_as_seen_from_as_of() -> None:
    few = SETTINGS.model_copy(update={"newest_events": 50})
    as_of = when("2024-11-03T05:30")
    rows = SPINE.filter(as_of=as_of)
    visible = HISTORY.filter(pl.col("at") < as_of, pl.col("known_at") <= as_of)
    kept = pl.concat(
        [
            visible.filter(pl.col("kind").is_in(ALWAYS_KEPT)),
            *(part.sort("at", "event_id").tail(50) for part in visible.partition_by("customer_id")),
        ]
    ).unique("event_id")
    assert kept.height < visible.height
    cut_inside = features_as_of(HISTORY, rows, CUSTOMERS, settings=few)
    cut_before = features_as_of(kept, rows, CUSTOMERS, settings=SETTINGS)
    assert cut_inside.equals(cut_before)


def test_the_spine_keeps_its_order_and_its_repetitions() -> None:
    rows = pl.concat([SPINE.reverse(), SPINE[:4]])
    for name in ("features", "permissions"):
        told = ROADS[name](HISTORY, rows)
        assert told.select("customer_id", "as_of").equals(rows), name


def test_strangers_and_empty_spines_are_described_too(road: Road) -> None:
    nobody = HISTORY.clear()
    assert road(HISTORY, SPINE.clear()).height == 0
    assert road(HISTORY, SPINE.clear()).schema == road(HISTORY, SPINE).schema
    assert road(nobody, SPINE).schema == road(HISTORY, SPINE).schema
    stranger = ROADS["features"](nobody, spine(("eve", "2024-05-01")))
    for feature in CATALOG:
        assert stranger[feature.name].item() == feature.when_no_history, feature.name
    assert stranger["segment"].item() == "prospect"
    assert stranger["stage"].item() == "aware"


def test_popularity_sees_no_future_either() -> None:
    as_of = when("2024-11-03T05:30")
    visible = HISTORY.filter(pl.col("at") < as_of, pl.col("known_at") <= as_of)
    shuffled = HISTORY.sample(fraction=1, shuffle=True, seed=1)
    told = popularity_as_of(shuffled, as_of, item="category", days=90)
    assert told.equals(popularity_as_of(visible, as_of, item="category", days=90))
    assert told["rank"].to_list() == list(range(1, told.height + 1))
