"""The churn model on shops whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from features.build import features_as_of
from features.catalog import MODEL_INPUTS
from features.errors import NotReadyError
from features.settings import FeatureSettings
from features.tables import CUSTOMERS, HISTORY, PRODUCTS
from tests.training.drawn import CHURN, RESAMPLING
from training.baselines import BaseRate, FlagRule, SilenceRule
from training.churn import fit_churn, train_churn
from training.evaluate import log_losses
from training.gate import judge
from training.model import folder
from training.model.calibrators import CALIBRATION
from training.model.churn import churn_of, score_churn
from training.settings import ChurnSettings, TrainingSettings
from training.trained import About, Trained

START = datetime(2024, 1, 1, 12, tzinfo=UTC)
WEEKS, STOP = 32, 10
CUSTOMERS_OF_SHOP = 60
FEATURES = FeatureSettings(
    base_currency="USD",
    default_timezone="America/New_York",
    category_depth=2,
    newest_events=500,
    hours_half_life_days=180,
    mail_echo_hours=6,
    high_value_spend_365d=1500.0,
    dormant_after_days=180,
)
# Only resampling and churn matter here; the other models' tables are their own tests' business.
SETTINGS = TrainingSettings.model_construct(resampling=RESAMPLING, churn=CHURN)
ORIGIN = About(lake_versions={"events": 3}, code_version="abc", trained_at=START, synthetic=False)


def checkerboard() -> pl.DataFrame:
    """Even customers order every week; of the odd ones, two more stop each week from week 10 on."""
    orders = [
        {"customer": number, "week": week}
        for number in range(CUSTOMERS_OF_SHOP)
        for week in range(WEEKS)
        if number % 2 == 0 or week < STOP + (number // 4)
    ]
    name = pl.format("customer-{}", "customer")
    at = pl.lit(START) + pl.duration(days=7 * pl.col("week"), hours=pl.col("customer") % 24)
    return HISTORY.shape(
        pl.DataFrame(orders).select(
            customer_id=name,
            event_id=pl.format("{}-{}", name, "week"),
            order_id=pl.format("{}-{}", name, "week"),
            at=at,
            known_at=at,
            kind=pl.lit("order"),
            channel=pl.lit("web"),
            amount=pl.lit(10),
        )
    )


@cache
def trained() -> Trained:
    return train_churn(
        checkerboard(),
        CUSTOMERS.schema.create_empty(),
        PRODUCTS.schema.create_empty(),
        known_until=START + timedelta(weeks=WEEKS),
        settings=SETTINGS,
        feature_settings=FEATURES,
        about=ORIGIN,
    )


def test_who_has_stopped_scores_above_everybody_who_stays() -> None:
    now = START + timedelta(weeks=WEEKS)
    spine = pl.DataFrame(
        {"customer_id": [f"customer-{n}" for n in range(CUSTOMERS_OF_SHOP)]}
    ).with_columns(as_of=pl.lit(now))
    known = features_as_of(
        checkerboard(), spine, CUSTOMERS.schema.create_empty(), settings=FEATURES
    )
    churn = score_churn(trained().model, known)["churn"]
    stayed, stopped = churn.gather_every(2), churn.gather_every(2, offset=1)
    assert stopped.min() > 0.5 > stayed.max()


def test_it_beats_its_trivial_baseline_and_says_by_how_much() -> None:
    report = trained().report
    assert report.baseline == "silence"
    assert set(report.metrics) == {"model", "silence", "flag_60d", "base_rate", "bgnbd"}
    assert report.metrics["model"]["auc"].low > 0.9
    assert report.metrics["base_rate"]["auc"].estimate == 0.5
    lost = report.metrics["silence"]["log_loss"].estimate
    kept = report.metrics["model"]["log_loss"].estimate
    assert report.gain.estimate == pytest.approx(lost - kept)


def test_what_it_is_judged_by_lies_after_all_that_it_learnt_from() -> None:
    facts = trained().report.facts
    horizon = timedelta(days=CHURN.horizon_days)
    last_train = datetime.fromisoformat(max(facts["train_dates"]))
    assert last_train + horizon <= datetime.fromisoformat(min(facts["test_dates"]))
    assert len(facts["test_dates"]) == CHURN.test_snapshots


def test_nobody_can_be_recognised_in_what_leaves_with_a_model() -> None:
    handed_over = trained()
    assert "customer_id" not in handed_over.examples.columns
    assert handed_over.examples["customer"].dtype == pl.UInt32
    assert handed_over.golden.columns == list(handed_over.model.inputs)
    assert "customer-" not in json.dumps(handed_over.model.about, allow_nan=False)


def test_a_model_says_where_it_comes_from() -> None:
    described = trained().model.about
    assert described["lake_versions"] == {"events": 3}
    assert (described["code_version"], described["trained_at"]) == ("abc", START.isoformat())
    assert described["settings"]["horizon_days"] == 28
    assert set(described["meanings"]) == set(MODEL_INPUTS)
    assert (
        described["metrics"]["model"]["auc"] == trained().report.metrics["model"]["auc"].as_list()
    )


def test_a_model_fits_only_the_feature_settings_it_was_trained_with() -> None:
    model, here = trained().model, FEATURES.model_dump(mode="json")
    assert model.misfit(here) is None
    said = model.misfit(here | {"newest_events": 60, "base_currency": "EUR"})
    assert said is not None
    assert "model churn unrecorded was trained with base_currency=USD, newest_events=500" in said
    assert "settings say base_currency=EUR, newest_events=60; type `onje train all" in said
    # Segments are no input of it.
    assert model.misfit(here | {"dormant_after_days": 90}) is None
    assert replace(model, about={}).misfit(here) is None


def test_figures_are_pictures() -> None:
    assert set(trained().figures) == {"calibration", "gain", "lift"}
    assert all(image.startswith(b"\x89PNG") for image in trained().figures.values())


def rows(count: int, *, seed: int) -> pl.DataFrame:
    """Customers of whom silence, in steps of ten days, tells a little; else everything is noise."""
    random = np.random.default_rng(seed)
    noise = {name: random.normal(size=count) for name in MODEL_INPUTS}
    silent = random.integers(0, 12, size=count) * 10.0
    frame = pl.DataFrame(
        noise
        | {
            "days_since_order": silent,
            "days_since_first_order": silent + random.integers(0, 90, size=count),
            "orders": random.integers(1, 9, size=count).astype(np.float64),
            "label": (random.random(count) < 0.2 + silent / 200).astype(np.float64),
        }
    )
    return frame.with_columns(
        customer_id=pl.format("customer-{}", pl.int_range(count) // 2), as_of=pl.lit(START)
    )


TRAIN, TEST = rows(1500, seed=1), rows(600, seed=2)


@cache
def fitted(**changed: float) -> Trained:
    settings = TrainingSettings.model_construct(
        resampling=RESAMPLING, churn=CHURN.model_copy(update=changed)
    )
    return fit_churn(TRAIN, TEST, settings=settings, feature_settings=FEATURES, origin=ORIGIN)


def test_the_same_rows_give_the_same_model() -> None:
    again = fitted.__wrapped__()  # not the cached one
    assert again.model.booster.text == fitted().model.booster.text
    assert again.golden.equals(fitted().golden)


def test_the_trees_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def trees() -> str:
        return fitted.__wrapped__(rounds=5).model.booster.text.split("parameters:")[0]

    alone = trees()
    monkeypatch.setattr("training.trees.THREADS", 2)
    assert trees() == alone


def test_newcomers_have_the_share_of_all_newcomers() -> None:
    new = (TEST["days_since_first_order"] < 7).to_numpy()
    with_share, without = fitted().model, fitted(newcomer_days=0).model
    told = churn_of(with_share, TEST)[new]
    seen = TRAIN.filter(pl.col("days_since_first_order") < 7)["label"]
    assert len(set(told)) == 1 and len(told) > 1
    # Pulled towards what the trees expect of them, by twenty customers' worth.
    expected = churn_of(without, TRAIN.filter(pl.col("days_since_first_order") < 7)).mean()
    assert told[0] == pytest.approx((seen.sum() + 20 * expected) / (len(seen) + 20))
    assert len(set(churn_of(without, TEST)[new])) > 1
    assert (churn_of(with_share, TEST)[~new] == churn_of(without, TEST)[~new]).all()


def test_a_correction_is_asked_of_the_newest_training_date_or_not_at_all() -> None:
    assert trained().report.facts["calibration"]["chosen"] == "none"
    early = TRAIN.with_columns(as_of=pl.lit(START - timedelta(days=CHURN.horizon_days)))
    late = rows(1500, seed=3)
    found = fit_churn(
        pl.concat([early, late]), TEST, settings=SETTINGS, feature_settings=FEATURES, origin=ORIGIN
    )
    asked = found.report.facts["calibration"]
    # Sixty trees of ten rows a leaf boast: the correction says so, and is served.
    assert asked["chosen"] != "none" and asked["gains"][asked["chosen"]][0] > 0
    uncorrected = {n: table for n, table in found.model.tables.items() if n != CALIBRATION}
    corrected, boasting = (
        log_losses(TEST["label"].to_numpy(), churn_of(model, TEST)).mean()
        for model in (found.model, replace(found.model, tables=uncorrected))
    )
    assert corrected < boasting
    assert "lies a whole horizon before" in fitted().report.facts["calibration"]["why"]
    off = fitted(calibrate=False).report.facts["calibration"]
    assert off["why"] == "[training.churn] calibrate is false"


def test_whoever_never_ordered_twice_teaches_all_but_a_rhythm() -> None:
    once = TRAIN.with_columns(orders=pl.lit(1.0))
    found = fit_churn(once, TEST, settings=SETTINGS, feature_settings=FEATURES, origin=ORIGIN)
    assert "bgnbd" not in found.report.metrics
    assert set(found.model.tables) == {"prior", "newcomers", "seen"}
    assert np.isfinite(churn_of(found.model, TEST)).all()


def test_nothing_known_of_somebody_is_still_a_chance() -> None:
    nobody = TEST.head(1).with_columns(pl.lit(None, pl.Float64).alias(n) for n in MODEL_INPUTS)
    (churn,) = churn_of(fitted().model, nobody)
    assert 0 < churn < 1


def test_whoever_is_silent_for_longer_than_anybody_was_is_lost_by_their_rhythm() -> None:
    longest = fitted().model.tables["seen"].item()
    weekly = TEST.filter(pl.col("orders") > 5).head(1)

    def silent_for(days: float) -> float:
        # Their first order lies as far back as the last moves away.
        since = pl.col("days_since_first_order") - pl.col("days_since_order") + days
        later = weekly.with_columns(
            days_since_first_order=since, days_since_order=pl.lit(days), orders_30d=pl.lit(0.0)
        )
        return float(churn_of(fitted().model, later)[0])

    chances = [silent_for(longest * more) for more in (1.0, 1.01, 2.0, 5.0, 50.0)]
    assert chances == sorted(chances)
    assert chances[-1] > 0.99


def test_of_whoever_never_ordered_nothing_is_said() -> None:
    some = TEST.head(2).with_columns(orders=pl.Series([0.0, 3.0]))
    assert score_churn(fitted().model, some)["churn"].is_null().to_list() == [True, False]


def test_one_alone_scores_as_in_the_crowd() -> None:
    crowd = churn_of(fitted().model, TEST)
    alone = [churn_of(fitted().model, TEST[n])[0] for n in range(60)]
    assert alone == crowd[:60].tolist()


def test_the_trees_add_to_what_orders_say(tmp_path: Path) -> None:
    model = fitted().model
    folder.save(model, fitted().golden, tmp_path / "1")
    back = folder.load(tmp_path / "1")
    assert churn_of(back, TEST).tolist() == churn_of(model, TEST).tolist()
    bare = replace(model, tables={})
    assert churn_of(bare, TEST).tolist() != churn_of(model, TEST).tolist()


@pytest.mark.parametrize("days", [6, 366])
def test_a_horizon_beyond_a_week_to_a_year_is_refused(days: int) -> None:
    with pytest.raises(ValidationError, match="horizon_days"):
        ChurnSettings.model_validate(CHURN.model_dump() | {"horizon_days": days})


def test_a_horizon_longer_than_the_history_says_what_was_found() -> None:
    settings = TrainingSettings.model_construct(
        resampling=RESAMPLING, churn=CHURN.model_copy(update={"horizon_days": 200})
    )
    with pytest.raises(NotReadyError, match="at least 414 days .* found the first one 224 days"):
        train_churn(
            checkerboard(),
            CUSTOMERS.schema.create_empty(),
            PRODUCTS.schema.create_empty(),
            known_until=START + timedelta(weeks=WEEKS),
            settings=settings,
            feature_settings=FEATURES,
            about=ORIGIN,
        )


@pytest.mark.parametrize(
    "changed",
    [
        {"rounds": 61},
        {"learning_rate": 0.2},
        {"leaves": 3},
        {"rows_in_leaf": 50},
        {"shrinkage": 50.0},
    ],
)
def test_each_setting_of_the_trees_changes_the_scores(changed: dict[str, float]) -> None:
    inputs = TEST.select(MODEL_INPUTS)
    before, after = fitted().model.raw(inputs), fitted(**changed).model.raw(inputs)
    assert before.to_list() != after.to_list()


def test_the_seed_chooses_the_golden_rows() -> None:
    assert not fitted().golden.equals(fitted(seed=2).golden)


def test_longer_silence_never_lowers_the_score() -> None:
    model = fitted().model
    one = TEST.filter(pl.col("days_since_first_order") >= 7).select(MODEL_INPUTS).head(50)
    by_days = [
        churn_of(model, one.with_columns(days_since_order=pl.lit(float(days))))
        for days in range(0, 130, 5)
    ]
    assert (np.diff(np.array(by_days), axis=0) >= 0).all()
    assert (by_days[-1] > by_days[0]).all()


def test_noise_is_not_let_through_the_gate() -> None:
    blank = {"label": np.random.default_rng(5).integers(0, 2, size=1500).astype(np.float64)}
    found = fit_churn(
        TRAIN.with_columns(**blank),
        TEST,
        settings=SETTINGS,
        feature_settings=FEATURES,
        origin=ORIGIN,
    )
    verdict = judge(found.model, None, found.examples, settings=RESAMPLING)
    assert not verdict.promote


def test_the_gate_sees_the_gain_that_the_report_shows() -> None:
    found = fitted()
    verdict = judge(found.model, None, found.examples, settings=RESAMPLING)
    assert verdict.reasons[0].endswith(str(found.report.gain))


@pytest.mark.parametrize("use", ["training", "test"])
def test_a_shop_in_which_all_do_the_same_teaches_nothing(use: str) -> None:
    same = TRAIN.with_columns(label=1.0)
    pair = (same, TEST) if use == "training" else (TRAIN, same)
    with pytest.raises(NotReadyError, match=f"in the 1500 {use} rows .* everybody did the same"):
        fit_churn(*pair, settings=SETTINGS, feature_settings=FEATURES, origin=ORIGIN)


def test_where_nobody_ordered_twice_no_horizon_is_to_blame() -> None:
    once = TRAIN.with_columns(label=1.0, orders=pl.lit(1.0))
    with pytest.raises(NotReadyError, match="none of these customers had ordered twice") as told:
        fit_churn(once, TEST, settings=SETTINGS, feature_settings=FEATURES, origin=ORIGIN)
    assert "horizon_days under" not in str(told.value)


def test_the_napkin_rules_learn_what_they_can() -> None:
    labels = TRAIN["label"].to_numpy()
    asked = pl.DataFrame(
        {"days_since_order": [0.0, 59.0, 60.0, 110.0], "orders": [1.0, 8.0, 8.0, 1.0]}
    )
    rate = BaseRate.fit(TRAIN, labels).probability(asked)
    assert rate == pytest.approx(labels.mean())
    flag = FlagRule.fit(TRAIN, labels).probability(asked)
    flagged = (TRAIN["days_since_order"] >= 60).to_numpy()
    assert flag[1] == flag[0] == pytest.approx(labels[~flagged].mean(), abs=1e-3)
    assert flag[2] == flag[3] == pytest.approx(labels[flagged].mean(), abs=1e-3)
    silence = SilenceRule.fit(TRAIN, labels).probability(asked)
    # Eight orders make up for 60 ln 8 = 125 days, so that 60 days of silence weigh less than none.
    assert silence[1] < silence[2] < silence[0] < silence[3]
    assert SilenceRule.fit(TRAIN, labels).probability(TRAIN).mean() == pytest.approx(
        labels.mean(), abs=1e-3
    )
