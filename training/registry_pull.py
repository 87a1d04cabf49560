"""Bringing to this machine what MLflow says should serve now."""

from __future__ import annotations

from collections.abc import Iterable

from features.errors import NotReadyError
from training.model import folder
from training.registry import Registry


def pull_moved(registry: Registry, names: Iterable[str]) -> dict[str, str]:
    """Point at each champion that MLflow names and this machine does not serve; version by name.

    A model is tried before it is pointed at, so that a pointer never leads to one that fails its
    trial. Where MLflow knows no champion, what serves here stays. NotReadyError where MLflow does
    not answer, DamagedError where what it has is damaged: what was moved before stays moved.
    """
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    moved = {}
    try:
        for name in names:
            wanted = registry.champion(name)
            if wanted is not None and wanted != registry.serving(name):
                folder.load(registry.fetch(name, wanted))
                moved[name] = registry.pull(name).name
    except (MlflowException, RequestException, OSError) as problem:
        raise NotReadyError(
            f"MLflow at {registry.told_uri} does not answer ({type(problem).__name__}); "
            "what serves on this machine keeps serving"
        ) from problem
    return moved
