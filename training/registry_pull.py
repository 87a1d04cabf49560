"""Bringing to this machine what MLflow says should serve now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from features.errors import DamagedError, NotReadyError
from training.model import folder
from training.registry import Registry


@dataclass(frozen=True)
class Pulled:
    """By name of the model: the version that serves here now, and why another one cannot."""

    moved: dict[str, str]
    refused: dict[str, str]


def pull_moved(registry: Registry, names: Iterable[str]) -> Pulled:
    """Point at each champion that MLflow names and this machine does not serve.

    A model is tried before it is pointed at, so that a pointer never leads to one that fails its
    trial; one that does harms no other. Where MLflow knows no champion, what serves here stays.
    NotReadyError where MLflow does not answer: what was moved before stays moved.
    """
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    pulled = Pulled({}, {})
    try:
        for name in names:
            wanted = registry.champion(name)
            if wanted is None or wanted == registry.serving(name):
                continue
            try:
                folder.load(registry.fetch(name, wanted))
                pulled.moved[name] = registry.point(name, wanted).name
            except DamagedError as problem:
                pulled.refused[name] = str(problem)
    except (MlflowException, RequestException, OSError) as problem:
        raise NotReadyError(
            f"MLflow at {registry.told_uri} does not answer ({type(problem).__name__}); "
            "what serves on this machine keeps serving"
        ) from problem
    return pulled
