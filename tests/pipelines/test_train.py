"""What `onje train` cannot do is said at once, with what was found and what to type."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from features.errors import DamagedError, NotReadyError, SettingsError
from features.lake import Lake
from features.settings import FeatureSettings
from pipelines.cli import application
from pipelines.console import silently
from pipelines.models import ALL, MODELS, TRAINERS, known_group
from pipelines.retrain import Retrained, retrain, trainer_of
from pipelines.settings import load_settings
from tests.training.checkerboard import UNTIL, planted
from tests.training.test_registry import trained
from training.registry import Registry
from training.trained import About

SHIPPED = load_settings(Path(__file__).parents[2] / "onje.toml", patches=[])
SHOP = planted(24, seed=3, matters=False)
ORIGIN = About(lake_versions={}, code_version="test", trained_at=UNTIL, synthetic=True)


def train(model: str, history: pl.DataFrame, **churn: int) -> None:
    settings = SHIPPED.training
    chosen = settings.model_copy(update={"churn": settings.churn.model_copy(update=churn)})
    trainer_of(model)(
        history, SHOP.customers, SHOP.products, known_until=UNTIL, settings=chosen,
        feature_settings=SHIPPED.features, about=ORIGIN,
    )  # fmt: skip


def test_names_come_from_the_models_there_are() -> None:
    assert {known_group(name) for name in (*TRAINERS, ALL)} == {*TRAINERS, ALL}
    with pytest.raises(SettingsError, match="no nobody to train; there are churn, .*all$"):
        known_group("nobody")
    with pytest.raises(SettingsError, match="is trained by `onje train affinity`"):
        known_group("affinity-product")


@pytest.mark.parametrize("model", MODELS)
def test_an_empty_history_is_told(model: str) -> None:
    with pytest.raises(NotReadyError, match="bring|ingest"):
        train(model, SHOP.history.clear())


def test_a_horizon_longer_than_the_history_is_told_with_both() -> None:
    with pytest.raises(
        NotReadyError, match=r"at least 7\d\d days .* found the first one 1\d\d days"
    ):
        train("churn", SHOP.history, horizon_days=365)


def test_one_outcome_for_all_is_told() -> None:
    """Everybody orders every day: nobody is ever lost, so there is nothing to learn."""
    orders = SHOP.history.filter(pl.col("kind") == "order").unique("customer_id", keep="first")
    days = pl.DataFrame({"day": range(1, 196)})
    daily = orders.join(days, how="cross").with_columns(
        at=pl.lit(datetime(2024, 1, 1, 9, tzinfo=UTC)) + pl.col("day") * timedelta(days=1),
        event_id=pl.format("{}-{}", "customer_id", "day"),
        order_id=pl.format("{}-{}", "customer_id", "day"),
    )
    daily = daily.with_columns(known_at="at", at=pl.col("at").dt.cast_time_unit("us")).select(
        SHOP.history.columns
    )
    with pytest.raises(NotReadyError, match=r"everybody did the same|same within"):
        train("churn", daily.cast(dict(SHOP.history.schema)), horizon_days=28)


def test_what_was_trained_before_a_fault_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the data skips one model; a fault of ours ends all, but hides nothing."""
    made = trained()

    def fake(model: str, *_: object, **__: object) -> Retrained:
        if model == "send-hour":
            raise DamagedError("the champion is damaged")
        if model == "affinity-product":
            raise ZeroDivisionError("a fault of ours")
        return Retrained(model, "1", made, None)

    monkeypatch.setenv("ONJE_HOME", str(tmp_path))
    monkeypatch.setattr("pipelines.retrain._retrained", fake)
    monkeypatch.setattr("pipelines.retrain.known_by", lambda *_, **__: None)
    run = CliRunner().invoke(application("train"), ["train", "all", "--json"])
    assert isinstance(run.exception, ZeroDivisionError)
    told = {row["model"]: row["gate"] for row in json.loads(run.stdout)}
    assert list(told) == list(MODELS)[:5]
    assert told["send-hour"] == "not trained: the champion is damaged"
    assert told["churn"] == "not asked"


def test_where_nothing_can_be_trained_the_first_error_says_which_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(model: str, *_: object, **__: object) -> Retrained:
        raise DamagedError("damaged") if model == "affinity-category" else NotReadyError("too new")

    monkeypatch.setattr("pipelines.retrain._retrained", fake)
    monkeypatch.setattr("pipelines.retrain.known_by", lambda *_, **__: None)
    with pytest.raises(DamagedError, match="affinity-category: damaged\naffinity-product: too new"):
        retrain(
            ["affinity"], Lake(tmp_path), Registry(tmp_path, None), known_until=UNTIL,
            trained_at=UNTIL, promote=False, settings=SHIPPED, step=silently,
        )  # fmt: skip


def test_an_unknown_time_zone_is_told_with_the_nearest_one() -> None:
    said = SHIPPED.features.model_dump() | {"default_timezone": "Europe/Berln"}
    with pytest.raises(ValueError, match="no time zone is called Europe/Berln; did you mean"):
        FeatureSettings.model_validate(said)
