"""Models are recorded, promoted through the gate, rolled back and pulled; MLflow on SQLite."""

from __future__ import annotations

import dataclasses
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from features.errors import DamagedError, NotReadyError
from tests.training import grown
from tests.training.drawn import RESAMPLING
from training.evaluate import log_losses
from training.gate import Verdict
from training.model import folder
from training.registry import Registry, champions
from training.report import report_on
from training.trained import About, Trained, described

if TYPE_CHECKING:
    from mlflow import MlflowClient

ORIGIN = About(
    lake_versions={"events": 3},
    code_version="abc",
    trained_at=datetime(2024, 5, 1, tzinfo=UTC),
    synthetic=False,
)


def trained(*, misled: bool = False, seed: int = 1, synthetic: bool = False) -> Trained:
    """A model of two inputs with all its evidence, without the labour of a real training."""
    model = grown.model(misled=misled, seed=seed)
    inputs, labels = grown.rows(600, seed=3)
    customers = np.arange(600)
    contestants = {
        "model": model.probability(inputs).to_numpy(),
        "base_rate": np.full(600, labels.mean()),
    }
    report = report_on(
        contestants,
        labels,
        customers,
        baseline="base_rate",
        segments=None,
        facts={"test_rows": 600},
        settings=RESAMPLING,
    )
    return Trained(
        model=dataclasses.replace(
            model,
            about=described(
                dataclasses.replace(ORIGIN, synthetic=synthetic),
                report,
                settings={"rounds": 60},
                feature_settings={"newest_events": 500},
                meanings={},
            ),
        ),
        report=report,
        examples=inputs.with_columns(
            customer=customers,
            label=labels,
            baseline_loss=log_losses(labels, contestants["base_rate"]),
        ),
        golden=inputs.head(20),
        figures={"calibration": b"\x89PNG"},
    )


def client_of(registry: Registry) -> MlflowClient:
    # Here, since the registry quiets MLflow before it is imported.
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=registry.uri, registry_uri=registry.uri)


def promoted(
    registry: Registry, version: str | None = None, force_reason: str | None = None
) -> Verdict:
    return registry.promote(
        "churn", version=version, force_reason=force_reason, settings=RESAMPLING
    )


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Three versions: a good one, the champion; a misled one; the good one again."""
    registry = Registry(home=tmp_path_factory.mktemp("home"), tracking_uri=None)
    assert registry.record(trained()) == "1"
    assert promoted(registry).promote
    assert registry.record(trained(misled=True)) == "2"
    assert registry.record(trained()) == "3"
    return registry


@pytest.fixture(autouse=True)
def nothing_is_left_where_we_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow likes to make databases and folders in the current directory."""
    monkeypatch.chdir(tmp_path)


def test_a_recorded_model_comes_back_from_the_local_folder_alone(registry: Registry) -> None:
    place = champions(registry.home)["churn"]
    assert place == registry.home / "models" / "churn" / "1"
    back, (frame, _) = folder.load(place), grown.rows(100, seed=8)
    assert back.version == "1"
    assert back.probability(frame).to_list() == grown.model().probability(frame).to_list()


def test_a_worse_or_equal_challenger_stays_outside(registry: Registry) -> None:
    worse, equal = promoted(registry, "2"), promoted(registry, "3")
    assert not worse.promote
    assert [reason.split(":")[0] for reason in worse.reasons] == [
        "worse than the trivial baseline",
        "worse than champion 1",
    ]
    assert not equal.promote
    assert equal.reasons[1].startswith("not surely better than champion 1")
    assert champions(registry.home)["churn"].name == "1"
    by_version = {one.version: one for one in registry.versions("churn")}
    assert list(by_version) == ["3", "2", "1"]
    assert by_version["1"].aliases == ("champion",)
    assert by_version["2"].aliases == ()
    assert by_version["3"].aliases == ("challenger",)
    assert by_version["2"].gate == "; ".join(worse.reasons)


def test_what_was_trained_on_synthetic_data_says_so_wherever_it_is_kept(tmp_path: Path) -> None:
    registry = Registry(home=tmp_path, tracking_uri=None)
    registry.record(trained(synthetic=True))
    assert promoted(registry).reasons[-1] == "trained on synthetic data"
    assert folder.load(champions(tmp_path)["churn"]).about["synthetic"] is True
    registry.record(trained())
    newest, first = registry.versions("churn")
    assert (newest.synthetic, first.synthetic) == (False, True)
    assert "trained on synthetic data" in first.gate
    assert "trained on synthetic data" not in promoted(registry).reasons
    client = client_of(registry)
    kept = {one.version: one for one in client.search_model_versions("name='churn'")}
    said = {"1": "true", "2": "false"}
    assert {str(number): one.tags["synthetic"] for number, one in kept.items()} == said
    runs = {str(number): client.get_run(one.run_id) for number, one in kept.items()}
    assert {number: run.data.tags["synthetic"] for number, run in runs.items()} == said


def test_a_version_from_before_that_was_kept_is_neither(tmp_path: Path) -> None:
    registry = Registry(home=tmp_path, tracking_uri=None)
    registry.record(trained(synthetic=True))
    client = client_of(registry)
    client.delete_model_version_tag("churn", "1", "synthetic")
    assert [one.synthetic for one in registry.versions("churn")] == [None]


def test_force_needs_a_reason_and_rollback_undoes_it(registry: Registry) -> None:
    forced = promoted(registry, "2", "the shop has changed")
    assert forced.promote
    assert forced.reasons[-1] == "promoted all the same: the shop has changed"
    assert champions(registry.home)["churn"].name == "2"
    assert registry.rollback("churn") == "1"
    assert champions(registry.home)["churn"].name == "1"
    assert registry.pull("churn").name == "1"
    with pytest.raises(NotReadyError, match="no champion before"):
        registry.rollback("churn")
    assert champions(registry.home)["churn"].name == "1"


def test_pull_replaces_a_damaged_folder(registry: Registry) -> None:
    place = registry.home / "models" / "churn" / "1"
    (place / "model.lgb").write_text("gone")
    assert registry.pull("churn") == place
    assert folder.load(place).name == "churn"


def test_what_is_damaged_in_mlflow_as_well_says_so(registry: Registry) -> None:
    place = registry.home / "models" / "churn" / "1"
    content = (place / "model.lgb").read_bytes()
    kept = [
        file for file in (registry.home / "artifacts").rglob("model.lgb")
        if file.read_bytes() == content
    ]  # fmt: skip
    for file in (*kept, place / "model.lgb"):
        file.write_text("gone")
    with pytest.raises(DamagedError, match="churn 1 is damaged in MLflow .* as well; .*rollback"):
        registry.pull("churn")
    for file in kept:
        file.write_bytes(content)
    assert folder.load(registry.pull("churn")).name == "churn"


def test_a_second_machine_pulls_what_the_first_one_promoted(
    registry: Registry, tmp_path: Path
) -> None:
    other = Registry(home=tmp_path / "other", tracking_uri=registry.uri)
    assert champions(other.home) == {}
    assert folder.load(other.pull("churn")).version == "1"
    assert champions(other.home) == {"churn": other.home / "models" / "churn" / "1"}


def test_a_run_shows_settings_versions_metrics_with_intervals_and_pictures(
    registry: Registry,
) -> None:
    client = client_of(registry)
    run = client.get_run(client.get_model_version("churn", "1").run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"rounds": "60", "test_rows": "600"}
    assert run.data.tags["lake_versions"] == '{"events": 3}'
    assert run.data.tags["code_version"] == "abc"
    shown, report = run.data.metrics, trained().report
    assert shown["model/auc"] == pytest.approx(report.metrics["model"]["auc"].estimate)
    assert shown["model/auc.low"] == pytest.approx(report.metrics["model"]["auc"].low)
    assert shown["base_rate/log_loss.high"] == pytest.approx(
        report.metrics["base_rate"]["log_loss"].high
    )
    assert shown["gain.low"] == pytest.approx(report.gain.low)
    kept = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert kept == {"card.md", "examples.parquet", "facts.json", "figures", "inputs.json"}
    pictures = {file.path for file in client.list_artifacts(run.info.run_id, "figures")}
    assert pictures == {"figures/calibration.png", "figures/contributions.png"}


def test_a_card_says_what_was_measured_and_what_the_gate_said(registry: Registry) -> None:
    first, second = registry.card("churn", "1"), registry.card("churn", "2")
    assert first.text.startswith("# churn\n") and "| version | 1 |" in first.text
    assert "| judged by | 600 customers" in first.text
    assert "| log loss | " in first.text and "base_rate (baseline)" in first.text
    assert "`days_since_order`" in first.text and "Synthetic" not in first.text
    assert "worse than the trivial baseline" in second.text
    assert first.about["baseline"] == "base_rate"


def test_a_card_of_nothing_is_explained(registry: Registry) -> None:
    with pytest.raises(NotReadyError, match="no version 99 of churn"):
        registry.card("churn", "99")
    with pytest.raises(NotReadyError, match="no version of nobody is recorded"):
        registry.card("nobody", None)


def test_a_run_from_before_cards_says_so(registry: Registry) -> None:
    client = client_of(registry)
    run = client.get_run(client.get_model_version("churn", "3").run_id)
    for file in (registry.home / "artifacts" / "churn" / run.info.run_id).rglob("inputs.json"):
        file.unlink()
    with pytest.raises(NotReadyError, match="recorded before runs kept what a card needs"):
        registry.card("churn", "3")


def test_there_is_no_pickle_and_nothing_lies_about(registry: Registry, tmp_path: Path) -> None:
    kinds = {file.suffix for file in registry.home.rglob("*") if file.is_file()}
    assert kinds <= {
        ".lgb",
        ".json",
        ".md",
        ".parquet",
        ".png",
        ".db",
        ".db-shm",
        ".db-wal",
        "",
        ".yaml",
        ".lock",
    }
    without_suffix = {f.name for f in registry.home.rglob("*") if f.is_file() and not f.suffix}
    assert without_suffix <= {"champion", "previous"}
    code = "\n".join(f.read_text() for f in Path(folder.__file__).parents[1].rglob("*.py"))
    assert not re.search(r"\b(pickle|joblib|cloudpickle)\b", code.replace("no pickle", ""))
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert list(tmp_path.iterdir()) == []


def test_unknown_names_and_versions_are_explained(registry: Registry) -> None:
    assert registry.versions("nobody") == []
    with pytest.raises(NotReadyError, match="no challenger of nobody; type `onje train all`"):
        registry.promote("nobody", version=None, force_reason=None, settings=RESAMPLING)
    with pytest.raises(NotReadyError, match="no version 99 of churn"):
        promoted(registry, "99")
    with pytest.raises(NotReadyError, match="no champion of nobody; type `onje promote nobody`"):
        registry.pull("nobody")


def test_examples_leave_without_a_customer_id(registry: Registry) -> None:
    files = list((registry.home / "artifacts").rglob("examples.parquet"))
    assert len(files) == 3
    for file in files:
        assert pl.read_parquet(file).schema["customer"].is_integer()
