"""A search for settings finds better ones where there are, and never looks at the test slice."""

from __future__ import annotations

import dataclasses
import importlib
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.errors import NotReadyError
from pipelines.models import MODELS, table_of
from pipelines.retrain import preparation_of
from pipelines.settings import load_settings
from tests.training import checkerboard, grown
from tests.training.test_registry import ORIGIN, trained
from training import losses
from training.evaluate import log_losses
from training.model.model import UNRECORDED, Model
from training.settings import TrainingSettings
from training.snapshots import snapshot_dates
from training.trained import Fit, Trained
from training.trees import grow
from training.tune import RANGES, Tables, Tuned, fold_ends, tune

SHIPPED = load_settings(Path(__file__).parents[2] / "onje.toml", patches=[])
UNTIL = datetime(2024, 6, 1, 12, tzinfo=UTC)
NOTHING = Tables(pl.DataFrame(), pl.DataFrame(), pl.DataFrame())
TEMPLATE = trained()
# Two trees of two leaves, who hardly say anything: nearly anything else is better.
POOR = {"rounds": 2, "learning_rate": 0.01, "leaves": 2, "rows_in_leaf": 100, "shrinkage": 5.0}


@pytest.fixture(autouse=True)
def planted_has_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.tune.LOSSES", {**losses.LOSSES, "planted": losses.label_losses})


class Trainer:
    """Trains on planted rows, a world for each day; remembers when, and with what."""

    def __init__(
        self,
        earliest: datetime = datetime(2020, 1, 1, tzinfo=UTC),
        *,
        takes: Callable[[], object] = dict,
    ) -> None:
        self.earliest, self.takes = earliest, takes
        self.prepared: list[datetime] = []
        self.asked: list[tuple[datetime, dict[str, object]]] = []

    def __call__(
        self, *tables: pl.DataFrame, known_until: datetime, settings, feature_settings, about
    ) -> Fit:
        if known_until < self.earliest:
            raise NotReadyError("nothing happened so early")
        self.prepared.append(known_until)
        self.takes()
        return lambda chosen: self.fit(known_until, chosen)

    def fit(self, known_until: datetime, settings: TrainingSettings) -> Trained:
        self.asked.append((known_until, {key: getattr(settings.churn, key) for key in RANGES}))
        inputs, labels = grown.rows(400, seed=known_until.toordinal())
        booster = grow(
            inputs.to_numpy(), labels, names=grown.INPUTS, monotone=[0, 0], offset=None,
            weights=None, settings=settings.churn,
        )  # fmt: skip
        test, truth = grown.rows(400, seed=known_until.toordinal() + 1)
        return dataclasses.replace(
            TEMPLATE,
            model=Model("planted", UNRECORDED, grown.INPUTS, booster, tables={}, about={}),
            examples=test.with_columns(
                customer=np.arange(400),
                label=truth,
                baseline_loss=log_losses(truth, truth * 0 + 0.5),
            ),
        )


def searched(
    trainer: Trainer, *, trials: int = 12, present: dict[str, object] = POOR, **tuning: int
) -> Tuned:
    training = SHIPPED.training
    chosen = training.model_copy(
        update={
            "churn": training.churn.model_copy(update=present),
            "tuning": training.tuning.model_copy(update={"folds": 2, "seconds": 60, **tuning}),
        }
    )
    return tune(
        "planted", "churn", trainer, NOTHING, known_until=UNTIL, settings=chosen,
        feature_settings=SHIPPED.features, about=ORIGIN, trials=trials,
        step=lambda doing, done, total: None,
    )  # fmt: skip


def test_poor_settings_are_surely_improved() -> None:
    found = searched(Trainer())
    assert found.gain.low > 0.05
    assert found.trials[0][0] == found.present == POOR
    assert found.found in [values for values, _ in found.trials]
    assert min(loss for _, loss in found.trials) == dict_loss(found, found.found)


def dict_loss(found: Tuned, values: dict[str, object]) -> float:
    return next(loss for tried, loss in found.trials if tried == values)


def test_the_same_seed_searches_the_same_way_and_another_does_not() -> None:
    one, again, other = (searched(Trainer(), trials=4, seed=seed) for seed in (1, 1, 2))
    assert one.trials == again.trials and one.found == again.found
    assert one.trials[0] == other.trials[0] and one.trials[1:] != other.trials[1:]


def test_no_fold_knows_anything_of_the_days_by_which_the_model_is_judged() -> None:
    trainer = Trainer()
    found = searched(trainer, trials=3)
    churn = SHIPPED.training.churn
    orders = pl.DataFrame({"kind": ["order"], "at": [datetime(2020, 1, 1, tzinfo=UTC)]})
    dates = snapshot_dates(
        orders, known_until=UNTIL, horizon=timedelta(days=churn.horizon_days),
        every=timedelta(days=churn.every_days), train=1, test=churn.test_snapshots,
    )  # fmt: skip
    assert max(end for end, _ in trainer.asked) == found.proof == dates.test[0]
    assert all(end <= found.proof - timedelta(days=churn.every_days) for end in found.folds)


def test_the_fold_that_proves_the_gain_is_not_searched_on() -> None:
    trainer = Trainer()
    found = searched(trainer, trials=6)
    on_proof = [values for end, values in trainer.asked if end == found.proof]
    assert on_proof == [POOR, found.found]


def test_what_cannot_be_improved_is_left_alone() -> None:
    found = searched(Trainer(), trials=1)
    assert found.found == found.present
    assert (found.gain.low, found.gain.estimate, found.gain.high) == (0, 0, 0)


def test_folds_and_seconds_are_those_of_the_settings() -> None:
    assert len(searched(Trainer(), trials=1, folds=3).folds) == 3
    assert len(searched(Trainer(), trials=10_000, seconds=1).trials) < 10_000


@pytest.mark.parametrize("trials", [1, 6])
def test_each_period_is_prepared_once_whatever_the_number_of_trials(trials: int) -> None:
    trainer = Trainer()
    found = searched(trainer, trials=trials)
    assert len(found.trials) == trials
    assert trainer.prepared == [found.proof, *found.folds] and len(found.folds) == 2
    # What is in force in each period; anything else where it is searched, the best where proved.
    assert len(trainer.asked) == 3 + 2 * (trials - 1) + (found.found != POOR)


# Where each model's features come from, and in how many calls; that of the date of dormancy asks
# for what is to learn from and what is to be judged by one after the other.
FEATURES_OF = {
    "churn": ("training.churn.features_as_of", 1),
    "dormancy-date": ("training.dormancy_date.features_as_of", 2),
    "send-hour": ("training.send_hour.cases_at", 1),
    "affinity-category": ("training.affinity.moments_at", 1),
}


@pytest.mark.parametrize("model", FEATURES_OF)
def test_features_are_computed_by_the_preparation_alone(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = checkerboard.planted(60, seed=3, matters=False)
    # Half a year is all that this shop has.
    short = {
        "resampling": {"replicates": 200},
        "churn": {"calibrate": False, "train_snapshots": 2},
        "dormancy_date": {"dormant_days": 28, "test_weeks": 4, "train_snapshots": 4},
    }
    training = SHIPPED.training.model_copy(
        update={
            name: getattr(SHIPPED.training, name).model_copy(update=update)
            for name, update in short.items()
        }
    )
    computed = list[str]()
    where, calls = FEATURES_OF[model]
    module, function = where.rsplit(".", 1)
    real = getattr(importlib.import_module(module), function)

    def counted(*tables: object, **rest: object) -> object:
        computed.append(model)
        return real(*tables, **rest)

    monkeypatch.setattr(where, counted)
    fit = preparation_of(model)(
        shop.history, shop.customers, shop.products, known_until=checkerboard.UNTIL,
        settings=training, feature_settings=SHIPPED.features, about=ORIGIN,
    )  # fmt: skip
    assert len(computed) == calls
    table = table_of(model, type(training).model_fields)
    more = {"rounds": 3, "learning_rate": 0.3, "rows_in_leaf": 10}
    grown_more = getattr(training, table).model_copy(update=more)
    one, other = (
        fit(chosen).model.booster.text
        for chosen in (training, training.model_copy(update={table: grown_more}))
    )
    assert len(computed) == calls
    # Of the hours trees are kept only where they pay.
    assert one != other or model == "send-hour"


class Clock:
    """Stands still, but for a preparation."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, seconds: float) -> None:
        self.now, self.seconds = 0.0, seconds
        monkeypatch.setattr("training.tune.time.monotonic", lambda: self.now)

    def tick(self) -> None:
        self.now += self.seconds


def test_seconds_hold_while_periods_are_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Trainer(takes=Clock(monkeypatch, seconds=40).tick)
    with pytest.raises(
        NotReadyError, match=r"the 60 seconds .* after 40 of them 1 of 3 periods .* raise seconds"
    ):
        searched(slow, trials=5, seconds=60)
    assert len(slow.prepared) == 1


def test_seconds_that_leave_none_for_the_search_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Trainer(takes=Clock(monkeypatch, seconds=30).tick)
    with pytest.raises(NotReadyError, match="after 60 of them nothing but the settings in force"):
        searched(slow, trials=5, seconds=60)
    assert len(slow.prepared) == 2


def test_a_period_is_given_up_for_the_search_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = Trainer(takes=Clock(monkeypatch, seconds=0.6).tick)
    found = searched(slow, trials=10_000, seconds=2)
    assert len(found.folds) == 1 and len(found.trials) > 1
    assert found.note.startswith("seconds = 2 under [training.tuning] ended it")
    assert found.note.endswith("and 2 of 3 periods prepared")
    assert searched(Trainer(), trials=2).note == ""


def test_a_short_history_gives_fewer_folds_and_none_is_explained() -> None:
    newest, second, _ = fold_ends(UNTIL, SHIPPED.training.churn, folds=3)
    assert searched(Trainer(second), trials=1).folds == (second,)
    with pytest.raises(NotReadyError, match=r"two folds .* found 1 \(nothing happened so early\)"):
        searched(Trainer(newest), trials=1)


def test_what_is_printed_can_be_put_into_onje_toml() -> None:
    found = searched(Trainer(), trials=5)
    said = tomllib.loads(found.toml)["training"]["churn"]
    assert said.keys() == RANGES.keys()
    assert all(said[key] == pytest.approx(found.found[key]) for key in RANGES)
    assert "# now 2" in found.toml
    SHIPPED.training.churn.model_validate(SHIPPED.training.churn.model_dump() | said)


def test_every_range_is_within_what_settings_allow() -> None:
    churn = SHIPPED.training.churn.model_dump()
    for end in (0, 1):
        values = {key: ends[end] for key, ends in RANGES.items()}
        SHIPPED.training.churn.model_validate(churn | values)


def test_every_model_has_a_table_and_folds_that_end_before_it_is_judged() -> None:
    training = SHIPPED.training
    tables = {model: table_of(model, type(training).model_fields) for model in MODELS}
    assert tables["dormancy-date"] == "dormancy_date" != tables["email-dormancy"]
    assert tables["affinity-product"] == "affinity"
    judged_for = {
        "churn": training.churn.horizon_days + training.churn.every_days,
        "dormancy-date": 7 * training.dormancy_date.test_weeks,
        "response-order": training.response.order_days + training.response.test_days,
        "send-hour": training.send_hour.horizon_days,
    }
    for model, days in judged_for.items():
        newest, second = fold_ends(UNTIL, getattr(training, tables[model]), folds=2)
        assert newest <= UNTIL - timedelta(days=days) and second < newest
