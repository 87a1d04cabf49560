"""The date of dormancy in a shop where everybody orders every ten days until they leave."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from features.build import features_as_of
from features.errors import NotReadyError
from features.tables import CUSTOMERS, HISTORY, PRODUCTS
from tests.training.drawn import DORMANCY_DATE, RESAMPLING, history, moment, spine
from tests.training.test_churn import FEATURES, ORIGIN
from training.dormancy_date import train_dormancy_date
from training.evaluate import Floats
from training.gate import judge
from training.labels import turning_dormant
from training.losses import LOSSES
from training.model.dormancy import (
    dormancy_of,
    hazards_of,
    score_dormancy_date,
    steps_of,
)
from training.settings import DormancyDateSettings, TrainingSettings
from training.trained import Trained
from training.yes_no import refuse_one_outcome

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS, EVERY, LEAVE = 300, 10, 0.1
NOW = START + timedelta(days=DAYS)
NOBODY = CUSTOMERS.schema.create_empty()


@cache
def shop(count: int = 700) -> pl.DataFrame:
    """After each order one in ten leaves for good; who leaves is replaced by somebody new."""
    random = np.random.default_rng(1)
    rows = []
    for place in range(count):
        day, life = random.uniform(0, EVERY), 0
        while day < DAYS:
            rows.append((f"c{place}-{life}", day))
            gone = random.random() < LEAVE
            life, day = life + gone, day + EVERY
    at = pl.lit(START) + pl.duration(seconds=pl.col("day") * 86_400)
    return HISTORY.shape(
        pl.DataFrame(rows, schema=["customer_id", "day"], orient="row")
        .with_row_index("line")
        .select(
            "customer_id",
            event_id=pl.col("line").cast(pl.String),
            order_id=pl.col("line").cast(pl.String),
            at=at,
            known_at=at,
            kind=pl.lit("order"),
            channel=pl.lit("web"),
            amount=pl.lit(10),
        )
    )


def train(settings: DormancyDateSettings, known_until: datetime = NOW) -> Trained:
    return train_dormancy_date(
        shop(),
        NOBODY,
        PRODUCTS.schema.create_empty(),
        known_until=known_until,
        settings=TrainingSettings.model_construct(resampling=RESAMPLING, dormancy_date=settings),
        feature_settings=FEATURES,
        about=ORIGIN,
    )


@cache
def trained() -> Trained:
    return train(DORMANCY_DATE)


@cache
def people() -> pl.DataFrame:
    """Everybody who ever ordered, as of now."""
    ids = shop().get_column("customer_id").unique().sort()
    asked = pl.DataFrame({"customer_id": ids}).with_columns(as_of=pl.lit(NOW))
    found: pl.DataFrame = features_as_of(shop(), asked, NOBODY, settings=FEATURES)
    return found


def silence() -> Floats:
    return people().get_column("days_since_order").to_numpy()


def test_the_planted_hazards_are_found() -> None:
    at_risk = people().filter(pl.col("days_since_order") < 30)
    to_go = 30 - at_risk.get_column("days_since_order").to_numpy()
    steps = steps_of(to_go, dormant_days=30, weeks=16)
    hazards = hazards_of(trained().model, at_risk, steps)
    silent = 30 - to_go[steps.whose]
    # Within their rhythm one in ten has left with the last order; who missed an order has left.
    assert hazards[steps.is_first & (silent < 9)].mean() == pytest.approx(LEAVE, abs=0.04)
    assert hazards[steps.is_first & (silent > 11)].min() > 0.8
    # Seven tenths of an order fall into a week, each of them the last with a chance of one in ten.
    later = hazards[~steps.is_first & (silent < 9)].mean()
    assert later == pytest.approx(1 - 0.9**0.7, abs=0.03)


def test_it_beats_shares_by_silence_and_week() -> None:
    report = trained().report
    assert report.baseline == "kaplan_meier"
    assert set(report.metrics) == {"model", "kaplan_meier", "base_rate"}
    assert report.gain.estimate > -0.005
    assert report.metrics["model"]["log_loss"].high < report.metrics["base_rate"]["log_loss"].low
    days_off = report.facts["days_off"]["of_everybody"]
    # Nobody ever came back, says the rule; nine in ten do.
    assert days_off["gain"][0] > 5
    verdict = judge(trained().model, None, trained().examples, settings=RESAMPLING)
    assert verdict.reasons[0].endswith(str(report.gain))


def test_dates_follow_from_the_hazards() -> None:
    found = dormancy_of(trained().model, people())
    gone, steady = silence() >= 30, silence() < 9
    missed = (silence() > 11) & (silence() < 30)
    assert (found.survival[gone] == 0).all() and (found.soon[gone] == 1).all()
    assert found.days[gone] == pytest.approx(30 - silence()[gone])
    assert found.days[missed] == pytest.approx(30 - silence()[missed])
    assert (found.soon[missed] > 0.8).all()
    # Half of the steady ones have had their last order after ln 2 / -ln 0.9 = 6.6 orders.
    median = np.nanmedian(np.nan_to_num(found.days[steady], nan=200.0))
    assert 60 < median < 120
    assert found.soon[steady].mean() == pytest.approx(LEAVE, abs=0.06)
    assert (np.diff(found.survival, axis=1) <= 0).all()


def test_scores_are_dates_and_chances() -> None:
    scores = score_dormancy_date(trained().model, people())
    assert scores.schema == {
        "dormant_on": pl.Datetime("us", "UTC"),
        "dormant_within_30d": pl.Float64,
    }
    gone = pl.Series(silence() >= 30)
    assert (scores["dormant_on"].filter(gone) <= NOW).all()
    assert (scores["dormant_on"].filter(~gone).drop_nulls() > NOW).all()


def test_one_alone_scores_as_in_the_crowd() -> None:
    crowd = score_dormancy_date(trained().model, people())
    for place in range(0, 600, 7):
        assert score_dormancy_date(trained().model, people()[place]).row(0) == crowd.row(place)
    assert score_dormancy_date(trained().model, people().clear()).height == 0


def test_whoever_never_ordered_has_no_date() -> None:
    names = [n for n, dtype in people().schema.items() if dtype == pl.Float64]
    nobody = people().head(1).with_columns(pl.lit(None, pl.Float64).alias(n) for n in names)
    assert score_dormancy_date(trained().model, nobody).row(0) == (None, None)


def test_steps_that_cannot_be_are_not_asked() -> None:
    steps = steps_of(np.array([10.0, 29.5]), dormant_days=30, weeks=8)
    # Ten days to go: week 1, and then not before a new silence of 30 days can have passed.
    assert steps.week[steps.whose == 0].tolist() == [1, 4, 5, 6, 7]
    assert steps.is_first[steps.whose == 0].tolist() == [True, False, False, False, False]
    # The first step in the week in which later ones may begin stands for both.
    assert steps.week[steps.whose == 1].tolist() == [4, 5, 6, 7]


def test_labels_know_the_first_silence_that_is_long_enough() -> None:
    told = history(
        """
        ann | order | 2024-01-01
        ann | order | 2024-01-20
        ann | order | 2024-04-01
        bob | order | 2024-01-05
        bob | order | 2024-02-20 | 2024-06-01
        cat | order | 2024-01-25
        """
    )
    asked = spine(
        ("ann", "2024-01-10"), ("ann", "2024-04-10"), ("bob", "2024-01-10"), ("cat", "2024-01-26"),
        ("dan", "2024-01-10"),
    )  # fmt: skip
    found = turning_dormant(told, asked, dormant_days=30, known_until=moment("2024-04-15"))
    assert found["turns_at"].to_list() == [
        moment("2024-02-19"),  # 30 days after her second order, whatever came in April
        None,  # not yet
        moment("2024-02-04"),  # the order of February was not known by then
        moment("2024-02-24"),
        None,  # never ordered
    ]
    later = turning_dormant(told, asked, dormant_days=30, known_until=moment("2024-06-02"))
    assert later["turns_at"][1:3].to_list() == [moment("2024-05-01"), moment("2024-02-04")]


def test_nothing_after_the_judged_date_is_learnt_from() -> None:
    facts = trained().report.facts
    (judged_at,) = facts["test_dates"]
    assert judged_at == (NOW - timedelta(weeks=10)).date().isoformat()
    assert max(facts["train_dates"]) < judged_at
    future = shop().filter(pl.col("at") >= NOW - timedelta(weeks=10))
    assert future.height > 0


@pytest.mark.parametrize(
    "changed",
    [
        {"dormant_days": 40},
        {"weeks": 12},
        {"test_weeks": 9},
        {"every_days": 10},
        {"train_snapshots": 6},
        {"examples": 1_000},
        {"seed": 2, "examples": 1_000},
    ],
)
def test_each_setting_changes_something(changed: dict[str, int]) -> None:
    other = train(DORMANCY_DATE.model_copy(update=changed))
    before, after = (
        dormancy_of(one.model, people()).survival[:, -1].tolist() for one in (trained(), other)
    )
    assert before != after


def test_too_short_a_history_says_what_was_found() -> None:
    with pytest.raises(NotReadyError, match="at least 135 days before .* found the first one 99 d"):
        train(DORMANCY_DATE, known_until=START + timedelta(days=100))


def test_where_all_do_the_same_it_names_settings_that_there_are() -> None:
    rows = pl.DataFrame({"label": [0.0, 0.0]})
    with pytest.raises(NotReadyError) as told:
        refuse_one_outcome(rows, "test", model="dormancy-date", days=30, table="dormancy_date")
    advice = re.search(r"another (.*) under \[training\.dormancy_date\]", str(told.value))
    assert advice is not None
    named = set(re.split(", | or ", advice[1]))
    assert named and named <= set(DormancyDateSettings.model_fields)


def test_nobody_can_be_recognised_and_the_gate_knows_the_model() -> None:
    handed_over = trained()
    assert "customer_id" not in handed_over.examples.columns
    assert "c1-" not in json.dumps(handed_over.model.about, allow_nan=False)
    losses = LOSSES["dormancy-date"](handed_over.model, handed_over.examples)
    assert losses.mean() == pytest.approx(handed_over.report.metrics["model"]["log_loss"].estimate)
