"""Opening everything that a running service holds."""

from __future__ import annotations

from pathlib import Path

from anyio import CapacityLimiter
from prometheus_client import CollectorRegistry

from serving.access.admission import Admission
from serving.effective import ReadSettings, SettingsShelf
from serving.live import Clock, Live
from serving.metrics import Metrics, forget_the_dead
from serving.models import ModelShelf
from serving.night import NightScores
from serving.secret import Secret
from serving.store import Store


def open_live(
    *,
    home: Path,
    store_url: str,
    read: ReadSettings,
    clock: Clock,
    registry: CollectorRegistry,
    secret: Secret,
) -> Live:
    """The store at `store_url`, the settings over it and the champions under `home`/models.

    Raises SettingsError where the settings cannot be used: better no service than another one.
    """
    forget_the_dead()
    # The store must be open before its patches can be read; its patience is the file's own.
    store = Store.open(
        store_url, patience_s=read([]).serving.service.patience_seconds, secret=secret
    )
    settings = SettingsShelf(store, read)
    models = ModelShelf(home)
    models.refresh(settings.current.features)
    gate = Admission(store)
    gate.keys.refresh()
    metrics = Metrics.on(registry)
    metrics.tell_models(models.current.versions)
    store.observe = metrics.tell_store
    return Live(
        store=store,
        models=models,
        settings=settings,
        clock=clock,
        metrics=metrics,
        registry=registry,
        threads=CapacityLimiter(settings.current.serving.service.threads),
        gate=gate,
        secret=secret,
        home=home,
        night=NightScores(home / "lake"),
    )
