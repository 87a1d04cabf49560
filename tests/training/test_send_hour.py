"""The send-hour model on shops whose truth is known: early birds and night owls."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import NotReadyError
from features.profiles import hours_as_of
from features.tables import CUSTOMERS, HISTORY, PRODUCTS
from tests.features.text import SETTINGS as FEATURES
from tests.features.text import when
from tests.training.drawn import RESAMPLING
from training.gate import judge
from training.model.folder import load, save
from training.model.hours import Usual, score_hours
from training.send_hour import train_send_hour
from training.settings import SendHourSettings, TrainingSettings
from training.trained import About, Trained

USUAL = Usual(hour=14, pull=0.5, certainty=0.8)
START, DAYS, PEOPLE = when("2024-01-01"), 26 * 7, 60
NOW = START + timedelta(days=DAYS)
EARLY, LATE = 8, 20
NOBODY = CUSTOMERS.schema.create_empty()
SETTINGS = TrainingSettings.model_construct(
    resampling=RESAMPLING,
    send_hour=SendHourSettings(
        horizon_days=28,
        every_days=14,
        train_snapshots=4,
        examples=20_000,
        clicks_needed=100,
        click_hours=24,
        kinds=2,
        rounds=20,
        learning_rate=0.1,
        leaves=7,
        rows_in_leaf=100,
        shrinkage=5.0,
        seed=1,
    ),
)


def own_hour(number: int) -> int:
    """Even customers are early birds, odd ones night owls."""
    return LATE if number % 2 else EARLY


def events(rows: list[dict[str, object]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows).with_columns(
        pl.format("c{}", "number").alias("customer_id"),
        event_id=pl.format("{}-{}", "kind", pl.int_range(pl.len())),
        order_id=pl.when(pl.col("kind") == "order").then(pl.format("o{}", pl.int_range(pl.len()))),
        amount=pl.lit(10),
        known_at="at",
    )
    return HISTORY.shape(frame.drop("number"))


@cache
def shop() -> pl.DataFrame:
    """Each customer orders every other day or so: four times of five near their own hour."""
    random = np.random.default_rng(1)
    rows: list[dict[str, object]] = []
    for number in range(PEOPLE):
        for day in range(DAYS):
            if random.random() < 0.5:
                near = random.random() < 0.8
                hour = own_hour(number) if near else int(random.integers(24))
                at = START + timedelta(days=day, hours=hour, minutes=int(random.integers(60)))
                rows.append({"number": number, "at": at, "kind": "order", "channel": "web"})
    return events(rows)


@cache
def mails() -> pl.DataFrame:
    """A mail a day at 8, 14 or 20 h; half of those at the customer's own hour are clicked."""
    random = np.random.default_rng(2)
    rows: list[dict[str, object]] = []
    for number in range(PEOPLE):
        for day in range(DAYS):
            hour = int(random.choice([EARLY, 14, LATE]))
            at = START + timedelta(days=day, hours=hour)
            rows.append({"number": number, "at": at, "kind": "send", "channel": "email"})
            if random.random() < (0.5 if hour == own_hour(number) else 0.05):
                at += timedelta(minutes=30)
                rows.append({"number": number, "at": at, "kind": "click", "channel": "email"})
    return pl.concat([shop(), events(rows)])


def train(history: pl.DataFrame, settings: TrainingSettings = SETTINGS) -> Trained:
    return train_send_hour(
        history,
        NOBODY,
        PRODUCTS.schema.create_empty(),
        known_until=NOW,
        settings=settings,
        feature_settings=FEATURES,
        about=About(
            lake_versions={"events": 3}, code_version="abc", trained_at=NOW, synthetic=False
        ),
    )


@cache
def trained() -> Trained:
    return train(shop())


@cache
def trained_on_clicks() -> Trained:
    return train(mails())


def people(*names: str) -> pl.DataFrame:
    return pl.DataFrame({"customer_id": names}).with_columns(
        as_of=pl.lit(NOW), segment=pl.lit("loyal")
    )


def scored(of: pl.DataFrame, by: Trained) -> pl.DataFrame:
    return score_hours(by.model, hours_as_of(mails(), of, NOBODY, settings=FEATURES), of, USUAL)


def best_hours(scores: pl.DataFrame) -> list[int]:
    return (
        scores.sort("probability", descending=True)
        .group_by("customer_id", "weekend", maintain_order=True)
        .first()
        .get_column("hour")
        .unique()
        .to_list()
    )


def test_everybody_is_met_at_their_own_hour() -> None:
    everybody = people(*(f"c{number}" for number in range(PEOPLE)))
    scores = scored(everybody, trained())
    for number in range(PEOPLE):
        assert best_hours(scores.filter(customer_id=f"c{number}")) == [own_hour(number)]


def test_it_beats_everyones_hours() -> None:
    report = trained().report
    assert report.baseline == "everyone"
    assert set(report.metrics) == {"model", "everyone", "segment", "shrunk"}
    assert report.gain.low > 0
    # Who knows one of two peaks can gain ln 2 where it matters, four times of five: 0.55.
    assert 0.15 < report.gain.estimate < 0.55
    assert judge(trained().model, None, trained().examples, settings=RESAMPLING).promote


def test_it_says_what_it_has_learnt_from() -> None:
    assert trained().model.about["evidence"] == "activity"
    assert trained_on_clicks().model.about["evidence"] == "clicks"


def test_a_send_hour_does_not_outlive_the_segments_it_was_learnt_for() -> None:
    here = FEATURES.model_dump(mode="json")
    assert trained().model.misfit(here) is None
    said = trained().model.misfit(here | {"dormant_after_days": 90})
    assert said is not None and "dormant_after_days=180, settings say dormant_after_days=90" in said


def test_chances_are_those_of_one_day() -> None:
    # An order every other day, four fifths of them at the own hour: about 0.4 a day.
    here = scored(people("c0"), trained()).filter(hour=EARLY).get_column("probability")
    assert here.to_list() == pytest.approx([0.4, 0.4], abs=0.12)


def test_clicks_are_expected_at_the_hour_at_which_mails_are_clicked() -> None:
    scores = scored(people("c0", "c1"), trained_on_clicks()).filter(weekend=False)
    for customer, own, other in (("c0", EARLY, LATE), ("c1", LATE, EARLY)):
        at = dict(scores.filter(customer_id=customer).select("hour", "probability").iter_rows())
        assert at[own] == pytest.approx(0.5, abs=0.1)
        assert at[other] == pytest.approx(0.05, abs=0.05)
    assert trained_on_clicks().report.gain.low > 0


def test_each_row_gets_48_slots_in_order() -> None:
    both = people("c1", "c0")
    scores = scored(both, trained())
    assert scores.columns == [
        "customer_id", "as_of", "weekend", "hour", "probability", "lift", "lift_low", "customer",
        "segment", "everyone", "source",
    ]  # fmt: skip
    assert scores.select("customer_id", "weekend", "hour").rows() == [
        (name, weekend, hour)
        for name in ("c1", "c0")
        for weekend in (False, True)
        for hour in range(24)
    ]
    assert scores.get_column("probability").is_between(0, 1, closed="none").all()
    best = scores.sort("lift", descending=True).group_by("customer_id").first()
    assert best.get_column("source").unique().to_list() == ["customer"]


def test_a_stranger_gets_everyones_hours_and_it_says_so() -> None:
    stranger = people("nobody").with_columns(segment=pl.lit("prospect"))
    scores = scored(stranger, trained())
    assert scores.height == 48
    assert scores.get_column("source").unique().to_list() == ["everyone"]
    weekday = scores.filter(weekend=False).sort("probability", descending=True)
    assert set(weekday.get_column("hour").head(2)) == {EARLY, LATE}


@pytest.mark.parametrize(("is_large", "source"), [(True, "segment"), (False, "everyone")])
def test_only_a_large_segment_speaks_for_its_strangers(is_large: bool, source: str) -> None:
    model, stranger = trained().model, people("nobody")
    is_loyal = pl.col("segment") == "loyal"
    drawn = model.tables["segments"].with_columns(
        heard=pl.when(is_loyal & is_large).then(1e6).when(is_loyal).then(0.0).otherwise("heard")
    )
    scores = score_hours(
        replace(model, tables={**model.tables, "segments": drawn}),
        hours_as_of(shop(), stranger, NOBODY, settings=FEATURES),
        stranger,
        USUAL,
    )
    assert scores.get_column("source").unique().to_list() == [source]


def test_one_customer_alone_scores_as_in_the_crowd() -> None:
    everybody = people(*(f"c{number}" for number in range(PEOPLE)))
    crowd = scored(everybody, trained())
    for number in (0, 17, 59):
        alone = scored(people(f"c{number}"), trained())
        assert alone.equals(crowd.slice(48 * number, 48))


def test_nobody_asked_nothing_answered() -> None:
    assert scored(people("c0").head(0), trained()).height == 0


def test_what_happens_or_is_learnt_later_changes_nothing() -> None:
    later = shop().with_columns(pl.col("at", "known_at") + timedelta(days=DAYS))
    late_news = shop().with_columns(
        pl.col("at") + timedelta(minutes=30), known_at=pl.lit(NOW + timedelta(seconds=1))
    )
    more = pl.concat([later, late_news]).with_columns(pl.col("event_id", "order_id") + "-later")
    again = train(pl.concat([shop(), more])).model
    assert again.booster.text == trained().model.booster.text
    for name, table in trained().model.tables.items():
        assert again.tables[name].equals(table)


def test_the_model_comes_back_from_its_folder(tmp_path: Path) -> None:
    save(trained().model, trained().golden, tmp_path / "1")
    loaded = load(tmp_path / "1")
    again = score_hours(
        loaded, hours_as_of(shop(), people("c3"), NOBODY, settings=FEATURES), people("c3"), USUAL
    )
    assert again.equals(scored_on_shop("c3"))
    assert "c3" not in json.dumps(dict(loaded.about))


def scored_on_shop(name: str) -> pl.DataFrame:
    own = hours_as_of(shop(), people(name), NOBODY, settings=FEATURES)
    return score_hours(trained().model, own, people(name), USUAL)


def test_too_little_history_is_explained() -> None:
    young = shop().filter(pl.col("at") > NOW - timedelta(days=60))
    with pytest.raises(NotReadyError, match="horizon_days"):
        train(young)


@cache
def mailed_by_night() -> pl.DataFrame:
    """`shop`, and to a third of them mails at 03:00 that are visited at once, unclicked."""
    random = np.random.default_rng(3)
    rows: list[dict[str, object]] = []
    for number in range(0, PEOPLE, 3):
        for day in range(DAYS):
            if random.random() < 0.6:
                at = START + timedelta(days=day, hours=3)
                visit = at + timedelta(minutes=20)
                rows.append({"number": number, "at": at, "kind": "send", "channel": "email"})
                rows.append({"number": number, "at": visit, "kind": "session", "channel": "web"})
    return pl.concat([shop(), events(rows)])


def test_a_peak_that_our_own_mail_made_does_not_win() -> None:
    model = train(mailed_by_night()).model
    some = people(*(f"c{number}" for number in range(0, PEOPLE, 3)))
    own = hours_as_of(mailed_by_night(), some, NOBODY, settings=FEATURES)
    scores = score_hours(model, own, some, USUAL)
    assert own.filter(hour=3)["acts"].sum() < 0.2 * own.filter(hour=EARLY)["acts"].sum()
    for number in range(0, PEOPLE, 3):
        assert best_hours(scores.filter(customer_id=f"c{number}")) == [own_hour(number)]


@cache
def clicked_at_any_hour() -> pl.DataFrame:
    """`shop`, and mails that are clicked alike at all hours, and more at 20 h by their kind."""
    random = np.random.default_rng(4)
    rows: list[dict[str, object]] = []
    for number in range(PEOPLE):
        for day in range(DAYS):
            cart = random.random() < 0.3
            hour = LATE if cart else int(random.choice([EARLY, 14]))
            at = START + timedelta(days=day, hours=hour)
            mail = {"number": number, "channel": "email", "email": "cart" if cart else "news"}
            rows.append({**mail, "at": at, "kind": "send"})
            if random.random() < (0.5 if cart else 0.1):
                rows.append({**mail, "at": at + timedelta(minutes=30), "kind": "click"})
    return pl.concat([shop(), events(rows)], how="diagonal_relaxed")


def test_where_clicks_do_not_follow_presence_nobody_is_moved() -> None:
    trained_here = train(clicked_at_any_hour())
    assert trained_here.model.about["evidence"] == "clicks"
    assert trained_here.report.facts["low"] == 0
    everybody = people(*(f"c{number}" for number in range(PEOPLE)))
    own = hours_as_of(clicked_at_any_hour(), everybody, NOBODY, settings=FEATURES)
    assert score_hours(trained_here.model, own, everybody, USUAL)["lift"].max() == 1


def test_where_they_do_everybody_is_moved_to_their_hour() -> None:
    facts = trained_on_clicks().report.facts
    assert 0 < facts["low"] < facts["exponent"]
    everybody = people(*(f"c{number}" for number in range(PEOPLE)))
    scores = scored(everybody, trained_on_clicks())
    assert best_by(scores, "lift") == [own_hour(number) for number in range(PEOPLE)]


def best_by(scores: pl.DataFrame, column: str) -> list[int]:
    weekdays = scores.filter(~pl.col("weekend")).sort(column, descending=True)
    best = weekdays.group_by("customer_id", maintain_order=True).first()
    order = best.with_columns(number=pl.col("customer_id").str.slice(1).cast(pl.Int64))
    return order.sort("number").get_column("hour").to_list()


def test_more_kinds_of_people_than_one_make_another_model() -> None:
    alike = SETTINGS.send_hour.model_copy(update={"kinds": 1})
    model = train(shop(), SETTINGS.model_copy(update={"send_hour": alike})).model
    assert (model.tables["kinds"].height, trained().model.tables["kinds"].height) == (48, 96)
