"""A shop whose decisions are replayed: its life is drawn, its service answers in process."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from features.errors import NotReadyError
from features.lake import Lake
from features.tables import CUSTOMERS, PRODUCTS
from pipelines.compact import compact
from pipelines.console import silently
from pipelines.effective import effective
from pipelines.publish import publish
from pipelines.replay import replay
from pipelines.rescore import ONJE, rescore
from pipelines.settings import load_settings
from serving.models import NO_MODELS
from serving.valuation import OWN
from tests.serving.api.service import SETTINGS_FILE, running
from tests.serving.drawn import moment
from tests.serving.histories import customers, drawn_events, shelf
from tests.serving.shop import NEW_YORK

FIXED = {
    "policy": {
        "holdout_share": 0.0, "explore_emails": 0.0, "explore_emails_at_first": 0.0,
        "explore_hours": 0.0,
    }
}  # fmt: skip


class ReplayedShop:
    """The lake, the service on its store, and a clock that the test sets."""

    def __init__(self, home: Path, service, patches: list[dict]) -> None:
        self.home, self.service, self.patches = home, service, patches
        self.lake = Lake(home / "lake")
        self.settings = load_settings(SETTINGS_FILE, patches)

    @property
    def store(self):
        return self.service.live.store

    def at(self, when: str) -> None:
        """It is now this moment."""
        self.service.now = moment(when)

    def happened(self, text: str, *, known: str | None = None) -> None:
        """Events of the drawn lines come into the lake, known when they happened or `known`."""
        self._told = getattr(self, "_told", 0) + 1
        events = drawn_events(text, prefix=f"lake{self._told} ")
        if known is not None:
            events = events.with_columns(known_at=moment(known))
        self.lake.merge_events(events)

    def open(self, *names: str) -> None:
        """Everybody is known, the shelf is filled, and all of it is published."""
        self.lake.append("customers", CUSTOMERS.check(customers(*names, zone=NEW_YORK)))
        self.lake.append("products", PRODUCTS.check(shelf()))
        self.publish()

    def publish(self) -> None:
        publish(
            self.lake, self.store, at=self.service.now, settings=self.settings.features,
            step=silently,
        )  # fmt: skip

    def compact(self) -> None:
        compact(self.store, self.lake, step=silently)

    def told(self, *lines: dict) -> None:
        """Events come in online, now."""
        answer = self.service.post("/v1/events", {"events": list(lines)})
        assert answer.json()["rejected"] == [], answer.text
        self.service.now += timedelta(seconds=1)

    def change(self, patch: dict, *, when: str) -> None:
        """Somebody changes the settings while the service runs."""
        self.store.add_patch(patch, who="a test", at=moment(when))
        self.service.live.refresh()

    def night(self, when: datetime):
        """The plans of a night, as the store keeps them."""
        rescore(
            self.lake, self.store, NO_MODELS, as_of=when, out=self.home / "rescored",
            settings=self.settings, policy=ONJE, valuation=OWN, step=silently,
        )  # fmt: skip

    def replayed(self, decision_id: str, *, fetch=None):
        return replay(
            decision_id, store=self.store, lake=self.lake, home=self.home,
            fetch=fetch or _nowhere, today=self.service.live.settings.current,
            lay=lambda patches: effective(load_settings(SETTINGS_FILE, [*self.patches, *patches])),
            step=silently,
        )  # fmt: skip


def _nowhere(name: str, version: str) -> Path:
    raise NotReadyError(f"no version {version} of {name}")


@contextmanager
def replayed_shop(home: Path, *patches: dict):
    fixed = [FIXED, *patches]
    with running(home, patches=fixed) as service:
        yield ReplayedShop(home, service, fixed)
