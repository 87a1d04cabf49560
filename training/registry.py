"""Where models are kept: MLflow for the record, a folder on this machine for serving.

MLflow is asked when a model is recorded, promoted, rolled back or pulled; whoever serves reads
`champions`, which needs nothing but the local folder and keeps working without MLflow:

    HOME/models/NAME/VERSION/   model folders (training.model.folder)
    HOME/models/NAME/champion   the version that serves, as text
    HOME/models/NAME/previous   the version that served before it

Heavy imports wait inside the functions: reading the local folder must cost nothing, and the served
bundle holds this file but nothing of how models are made.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from features.errors import DamagedError, NotReadyError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from training.gate import Verdict
    from training.settings import ResamplingSettings
    from training.trained import About, Trained
    from training.tune import Tuned

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
DATABASE = "mlflow.db"
# Tag of a registered model: every champion there was, oldest first, as a JSON list.
REIGNS = "champions"
EXAMPLES = "examples.parquet"
# Tag of a run and of a version: whether it was trained on the events of a simulated world.
SYNTHETIC = "synthetic"
# What MLflow answers when there is no such name, version or alias.
UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")

# How a version may be called, and a name that none has.
VERSION = re.compile(r"\w[\w.-]*")
NO_VERSION = ".no-version"

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Version:
    """One recorded model; `metrics` as logged: `contestant/metric`, with `.low` and `.high`.

    `synthetic` is None where the version was recorded before that was kept.
    """

    name: str
    version: str
    aliases: tuple[str, ...]
    recorded_at: datetime
    gate: str
    baseline: str
    synthetic: bool | None
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Card:
    """A model's card as Markdown, and what the model's folder says of it."""

    text: str
    about: Mapping[str, Any]


def champions(home: Path) -> dict[str, Path]:
    """The model folder of each champion on this machine, by name.

    A pointer holds a version, never a place: one that would lead elsewhere leads to a folder that
    there is not, so that its model is refused, and told of, like any that is damaged.
    """
    found = {}
    for pointer in sorted((home / "models").glob(f"*/{CHAMPION}")):
        version = pointer.read_text().strip()
        place = pointer.parent / (version if VERSION.fullmatch(version) else NO_VERSION)
        found[pointer.parent.name] = pointer.parent / NO_VERSION if place.is_symlink() else place
    return found


@dataclass(frozen=True)
class Registry:
    """The models of one installation; without `tracking_uri`, MLflow keeps SQLite under `home`."""

    home: Path
    tracking_uri: str | None

    @property
    def uri(self) -> str:
        """Where MLflow keeps its records."""
        return self.tracking_uri or f"sqlite:///{self.home.resolve() / DATABASE}"

    @property
    def told_uri(self) -> str:
        """`uri` as it may be told: without what stands before an @, which may be a password."""
        scheme, mark, rest = self.uri.partition("://")
        return scheme + mark + rest.rpartition("@")[2]

    def record(self, trained: Trained) -> str:
        """Log the run with all its evidence, register the model as challenger; its version."""
        from training.evidence import write_evidence
        from training.model import folder
        from training.registry_runs import as_tag, log_run

        client, name = self._client(), trained.model.name
        experiment = self._experiment(client, name)
        run = client.create_run(experiment).info.run_id
        log_run(client, run, trained)
        with TemporaryDirectory(prefix="onje-") as scratch:
            evidence, model = Path(scratch) / "evidence", Path(scratch) / name
            write_evidence(trained, evidence)
            client.log_artifacts(run, str(evidence))
            folder.save(trained.model, trained.golden, model)
            logged = client.create_logged_model(experiment, name=name, source_run_id=run)
            client.log_model_artifacts(logged.model_id, str(model))
        client.finalize_logged_model(logged.model_id, "READY")
        client.set_terminated(run)
        _or_none(lambda: client.create_registered_model(name), "RESOURCE_ALREADY_EXISTS")
        recorded = client.create_model_version(
            name,
            source=logged.artifact_location,
            run_id=run,
            model_id=logged.model_id,
            tags={SYNTHETIC: as_tag(trained.model.about[SYNTHETIC])},
        )
        client.set_registered_model_alias(name, CHALLENGER, str(recorded.version))
        return str(recorded.version)

    def record_search(self, tuned: Tuned, about: About) -> None:
        """Log what a search for settings tried and found, as a run of the model's experiment."""
        from training.registry_runs import log_search

        client = self._client()
        run = client.create_run(self._experiment(client, tuned.name)).info.run_id
        log_search(client, run, tuned, about)
        client.set_terminated(run)

    def promote(
        self,
        name: str,
        *,
        version: str | None,
        force_reason: str | None,
        settings: ResamplingSettings,
    ) -> Verdict:
        """Make `version` (the challenger, if None) champion, if the gate lets it through.

        With a `force_reason` it becomes champion whatever the gate says; the reason is kept.
        """
        import polars as pl

        from training.gate import judge
        from training.model import folder

        client = self._client()
        challenger = (
            self._aliased(client, name, CHALLENGER)
            if version is None
            else self._version(client, name, version)
        )
        if challenger is None:
            raise NotReadyError(f"no challenger of {name}; type `onje train all`")
        champion = self._aliased(client, name, CHAMPION)
        model = folder.load(self._fetch(challenger))
        with TemporaryDirectory(prefix="onje-") as scratch:
            examples = client.download_artifacts(str(challenger.run_id), EXAMPLES, scratch)
            verdict = judge(
                model,
                folder.load(self._fetch(champion)) if champion else None,
                pl.read_parquet(examples),
                settings=settings,
            )
        if model.about.get(SYNTHETIC):
            verdict = replace(verdict, reasons=(*verdict.reasons, "trained on synthetic data"))
        if force_reason is not None and not verdict.promote:
            forced = f"promoted all the same: {force_reason}"
            verdict = replace(verdict, promote=True, reasons=(*verdict.reasons, forced))
        number = str(challenger.version)
        client.set_model_version_tag(name, number, "gate", "; ".join(verdict.reasons))
        if verdict.promote:
            reigns = [reign for reign in self._reigns(client, name) if reign != number]
            self._enthrone(client, name, [*reigns, number])
            if CHALLENGER in challenger.aliases:
                client.delete_registered_model_alias(name, CHALLENGER)
        return verdict

    def rollback(self, name: str) -> str:
        """Put the previous champion back; its version. Can be repeated, reign by reign.

        This machine's pointer moves first: whoever rolls back is in a hurry, and MLflow is slow.
        """
        models = self.home / "models" / name
        pointer = models / PREVIOUS
        if pointer.exists() and (models / pointer.read_text().strip()).is_dir():
            _write(models / CHAMPION, pointer.read_text())
        client = self._client()
        reigns = self._reigns(client, name)[:-1]
        if not reigns:
            raise NotReadyError(
                f"{name} has had no champion before this one; `onje train all` makes another, "
                "and without a champion Onje decides by its rules"
            )
        self._enthrone(client, name, reigns)
        return reigns[-1]

    def pull(self, name: str) -> Path:
        """Bring the champion to this machine and point at it; its folder."""
        client = self._client()
        champion = self._aliased(client, name, CHAMPION)
        if champion is None:
            raise NotReadyError(f"no champion of {name}; type `onje promote {name}`")
        return self.point(name, str(champion.version))

    def point(self, name: str, version: str) -> Path:
        """Bring this version to this machine and let it serve; its folder."""
        client = self._client()
        place = self._fetch(self._version(client, name, version))
        earlier = [v for v in self._reigns(client, name) if v != place.name]
        if earlier:
            _write(place.parent / PREVIOUS, earlier[-1])
        else:
            (place.parent / PREVIOUS).unlink(missing_ok=True)
        _write(place.parent / CHAMPION, place.name)
        return place

    def champion(self, name: str) -> str | None:
        """The version that MLflow says should serve; None where it knows of none."""
        found = self._aliased(self._client(), name, CHAMPION)
        return None if found is None else str(found.version)

    def serving(self, name: str) -> str | None:
        """The version that this machine points at; None where it points at none."""
        place = champions(self.home).get(name)
        return None if place is None else place.name

    def fetch(self, name: str, version: str) -> Path:
        """The folder of this version on this machine; NotReadyError where it is nowhere."""
        return self._fetch(self._version(self._client(), name, version))

    def versions(self, name: str) -> list[Version]:
        """Every recorded version, newest first; none: an empty list."""
        client = self._client()
        found = client.search_model_versions(f"name='{name}'")
        # Searching leaves the aliases out; the model itself knows them.
        aliases: dict[str, list[str]] = {}
        if found:
            for alias, version in client.get_registered_model(name).aliases.items():
                aliases.setdefault(str(version), []).append(alias)
        listed = []
        for one in found:
            run = client.get_run(str(one.run_id)).data
            listed.append(
                Version(
                    name=name,
                    version=str(one.version),
                    aliases=tuple(sorted(aliases.get(str(one.version), []))),
                    recorded_at=datetime.fromtimestamp(one.creation_timestamp / 1000, UTC),
                    gate=one.tags.get("gate", "not judged yet"),
                    baseline=run.tags.get("baseline", ""),
                    synthetic={"true": True, "false": False}.get(one.tags.get(SYNTHETIC, "")),
                    metrics=run.metrics,
                )
            )
        return sorted(listed, key=lambda one: int(one.version), reverse=True)

    def card(self, name: str, version: str | None) -> Card:
        """The card of a version; of the champion, or else the challenger, if None."""
        from training.evidence import INPUTS, card_of
        from training.model.verify import ABOUT

        client = self._client()
        recorded = (
            self._version(client, name, version)
            if version is not None
            else self._aliased(client, name, CHAMPION) or self._aliased(client, name, CHALLENGER)
        )
        if recorded is None:
            raise NotReadyError(f"no version of {name} is recorded; type `onje train all`")
        number = str(recorded.version)
        about = json.loads((self._fetch(recorded) / ABOUT).read_text("utf-8"))["about"]
        with TemporaryDirectory(prefix="onje-") as scratch:
            inputs = _or_none(
                lambda: client.download_artifacts(str(recorded.run_id), INPUTS, scratch), *UNKNOWN
            )
            if inputs is None:
                raise NotReadyError(
                    f"version {number} of {name} was recorded before runs kept what a card needs; "
                    "type `onje train all`"
                )
            gate = recorded.tags.get("gate", "not judged yet")
            text = card_of(name, number, about=about, gate=gate, inputs=Path(inputs))
        return Card(text=text, about=about)

    def _client(self) -> MlflowClient:
        # Read by MLflow when it is imported. What somebody has set on purpose stays.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        # A server's client would print addresses where `--json` belongs.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        from mlflow import MlflowClient

        if self.tracking_uri is None:
            from training.registry_database import make_whole

            make_whole(self.home.resolve() / DATABASE)
        self.home.mkdir(parents=True, exist_ok=True)
        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def _experiment(self, client: MlflowClient, name: str) -> str:
        # A server says itself where its artifacts go.
        own = (self.home / "artifacts" / name).resolve().as_uri()
        created = _or_none(
            lambda: client.create_experiment(
                name, artifact_location=None if self.tracking_uri else own
            ),
            "RESOURCE_ALREADY_EXISTS",
        )
        if created is not None:
            return created
        known = client.get_experiment_by_name(name)
        if known is None or known.lifecycle_stage != "active":
            raise NotReadyError(
                f"the experiment {name} is deleted in MLflow at {self.uri}; "
                "type `mlflow experiments restore`"
            )
        return known.experiment_id

    def _aliased(self, client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
        return _or_none(lambda: client.get_model_version_by_alias(name, alias), *UNKNOWN)

    def _version(self, client: MlflowClient, name: str, version: str) -> ModelVersion:
        found = _or_none(lambda: client.get_model_version(name, version), *UNKNOWN)
        if found is None:
            raise NotReadyError(f"no version {version} of {name}; type `onje evaluate {name}`")
        return found

    def _reigns(self, client: MlflowClient, name: str) -> list[str]:
        model = _or_none(lambda: client.get_registered_model(name), *UNKNOWN)
        reigns = json.loads(model.tags.get(REIGNS, "[]")) if model else []
        return [str(version) for version in reigns]

    def _enthrone(self, client: MlflowClient, name: str, reigns: list[str]) -> None:
        client.set_registered_model_tag(name, REIGNS, json.dumps(reigns))
        client.set_registered_model_alias(name, CHAMPION, reigns[-1])
        self.pull(name)

    def _fetch(self, recorded: ModelVersion) -> Path:
        """The version's folder on this machine, downloaded unless it is there and whole."""
        from mlflow.artifacts import download_artifacts

        from training.model.verify import read_checked

        place = self.home / "models" / recorded.name / str(recorded.version)
        if place.exists():
            try:
                read_checked(place)
            except DamagedError:
                shutil.rmtree(place)
            else:
                return place
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".pull-", dir=place.parent) as scratch:
            found = download_artifacts(
                artifact_uri=recorded.source, dst_path=scratch, tracking_uri=self.uri
            )
            try:
                read_checked(Path(found))
            except DamagedError as problem:
                raise DamagedError(
                    f"{recorded.name} {recorded.version} is damaged in MLflow at {self.uri} as "
                    "well; type `onje rollback`, or `onje train all --promote` to train it anew"
                ) from problem
            Path(found).rename(place)
        return place


def _or_none(ask: Callable[[], Answer], *codes: str) -> Answer | None:
    """The answer, or None where MLflow refuses with one of `codes`."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as problem:
        if problem.error_code not in codes:
            raise
        return None


def _write(file: Path, text: str) -> None:
    """Whole or not at all, so that whoever reads a pointer sees the old one or the new one."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.write_text(text)
    unfinished.replace(file)
