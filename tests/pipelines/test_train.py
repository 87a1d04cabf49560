"""What `onje train` cannot do is said at once, with what was found and what to type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.errors import NotReadyError, SettingsError
from features.settings import FeatureSettings
from pipelines.models import ALL, MODELS, TRAINERS, known_group
from pipelines.retrain import trainer_of
from pipelines.settings import load_settings
from tests.training.checkerboard import UNTIL, planted
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


def test_an_unknown_time_zone_is_told_with_the_nearest_one() -> None:
    said = SHIPPED.features.model_dump() | {"default_timezone": "Europe/Berln"}
    with pytest.raises(ValueError, match="no time zone is called Europe/Berln; did you mean"):
        FeatureSettings.model_validate(said)
