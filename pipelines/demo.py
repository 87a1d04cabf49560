"""The whole loop on Complete Journey: ingest, train, rescore, publish, serve, ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from features.errors import NotReadyError
from features.lake import Lake
from pipelines.console import Step, say
from pipelines.ingest import completejourney
from pipelines.installation import Installation
from pipelines.models import TRAINERS
from pipelines.publish import publish
from pipelines.rescore import ONJE, rescore
from pipelines.retrain import retrain
from pipelines.settings import load_settings
from serving.models import ModelShelf
from serving.valuation import OWN
from training.registry import Registry

WHO = "demo"
# What the demo itself brings in, and what is told to its service by hand.
OWN_SOURCES = {completejourney.SOURCE, completejourney.CONSENT_SOURCE, "api"}


@dataclass(frozen=True)
class Prepared:
    """A demo that is ready to be served, and two households worth asking about."""

    onje: Installation
    customer_id: str
    another_id: str
    seconds: dict[str, float]


def prepare(
    onje: Installation, *, ingest: Callable[[Lake, Step], object], now: datetime, step: Step
) -> Prepared:
    """Bring in the data, move the clock next to it, learn, decide for everybody, publish.

    What is there already is not done again, except the night's work, so a second demo is quick.
    Raises NotReadyError where the lake holds somebody's own events: the demo assumes consent and
    moves the clock.
    """
    _refuse_a_shop(onje)
    seconds: dict[str, float] = {}
    with _timed("ingest", seconds):
        ingest(onje.lake, step)
    onje = with_clock(onje, now=now)
    registry = Registry(onje.places.home, onje.places.tracking_uri)
    models = ModelShelf(onje.places.home)
    with _timed("train", seconds):
        models.refresh(onje.settings.features)
        missing = set(models.current.missing)
        names = [name for name, made in TRAINERS.items() if missing & set(made)]
        if names:
            retrain(
                names,
                onje.lake,
                registry,
                known_until=_in_the_data(onje, now),
                trained_at=now,
                promote=True,
                settings=onje.settings,
                step=step,
            )
            models.refresh(onje.settings.features)
    with _timed("rescore", seconds):
        night = rescore(
            onje.lake,
            onje.store,
            models.current,
            as_of=_in_the_data(onje, now),
            out=onje.places.home / "rescored",
            settings=onje.settings,
            policy=ONJE,
            valuation=OWN,
            step=step,
        )
    with _timed("publish", seconds):
        publish(
            onje.lake,
            onje.store,
            at=_in_the_data(onje, now),
            settings=onje.settings.features,
            step=step,
        )
    return Prepared(onje, *_worth_asking_about(night.folder), seconds)


def with_clock(onje: Installation, *, now: datetime) -> Installation:
    """The clock set back by whole days, so that the newest event of the data was yesterday."""
    newest = _newest_event(onje.lake)
    onje.set_clock((now - newest).days - 1, who=WHO, at=now)
    patches = [patch.patch for patch in onje.store.patches()]
    return replace(onje, settings=load_settings(onje.places.settings_file, patches))


def ask(address: str, key: str, customer_id: str) -> dict[str, Any]:
    """What next for this customer? A question for real: it is recorded and reserves the mail."""
    question = {"request_id": f"demo-{time.time_ns()}", "customer_id": customer_id}
    answer = httpx.post(f"{address}/v1/decide", json=question, headers=_with(key), timeout=10)
    answer.raise_for_status()
    decision: dict[str, Any] = answer.json()
    return decision


def receipt_of(address: str, key: str, decision_id: str) -> dict[str, Any]:
    """The decision as it was recorded, with everything that explains it."""
    answer = httpx.get(f"{address}/v1/decisions/{decision_id}", headers=_with(key), timeout=10)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()["receipt"]
    return found


def told(
    decision: dict[str, Any],
    receipt: dict[str, Any],
    names: Callable[[list[str]], dict[str, str]],
) -> str:
    """The decision as a person would want to read it."""
    who = f"household {decision['customer_id']} ({receipt['segment']}, {receipt['stage']})"
    lines = [f"What next for {who}?", ""]
    if decision["action"] == "send":
        at = datetime.fromisoformat(decision["local_send_at"])
        lines.append(f"  Send    {decision['email']}, variant {decision['variant']}")
        lines.append(f"  when    {at:%A %d %B %Y, %H:%M} on their own clock, {receipt['timezone']}")
        titles = names(decision["products"])
        lines += [
            f"  {'with' if place == 0 else '':7} {product}  {titles.get(product, '')}"
            for place, product in enumerate(decision["products"])
        ]
    else:
        lines.append(f"  Wait    ask again at {decision['valid_until']}")
    lines += [
        f"  {'why' if place == 0 else '':7} {reason['text']}"
        for place, reason in enumerate(decision["because"])
    ]
    others = [arm for arm in receipt["arms"] if arm["email"] != decision.get("email")]
    competed = [arm for arm in others if arm["applies"]]
    lines += ["", "  The other e-mails:"]
    lines += [f"    {arm['email']:20} {_fate(arm)}" for arm in competed]
    lines.append(f"    {len(others) - len(competed)} more do not apply to them now")
    offset = receipt["clock_offset_days"]
    lines += [
        "",
        f"  The demo's clock runs {offset:,.0f} days behind yours, next to its data. Consent is",
        "  assumed for the demo (events with source=demo-assumption); values are configured base",
        "  rates, not measured responses.",
        f"  Would it say the same again? onje replay {decision['decision_id']}",
    ]
    return "\n".join(lines)


def titles_of(lake: Lake) -> Callable[[list[str]], dict[str, str]]:
    """Looks up what products are called."""
    shelf = lake.read("products").with_columns(name=pl.coalesce("title", "category"))

    def names(products: list[str]) -> dict[str, str]:
        found = shelf.filter(pl.col("product_id").is_in(products))
        return dict(found.select("product_id", "name").drop_nulls().rows())

    return names


def _with(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _fate(arm: dict[str, Any]) -> str:
    if arm["forbidden_by"]:
        return "forbidden: " + "; ".join(reason["text"] for reason in arm["forbidden_by"])
    if arm["stands_back"]:
        return f"not surely worth more than the usual best: {arm['value']:.4f}"
    return f"worth less: {arm['value']:.4f}" if arm["value"] is not None else "no allowed hour"


def _refuse_a_shop(onje: Installation) -> None:
    if not onje.lake.exists("events"):
        return
    sources = onje.lake.scan("events").select(pl.col("source").unique()).collect()["source"]
    strangers = sorted(set(sources) - OWN_SOURCES)
    if strangers:
        raise NotReadyError(
            f"the lake in {onje.places.home} holds events of {', '.join(strangers)}; the demo "
            "would mix its households with them and move the clock: set ONJE_HOME to a new folder"
        )


def _in_the_data(onje: Installation, now: datetime) -> datetime:
    return now - timedelta(days=onje.settings.clock.offset_days)


def _newest_event(lake: Lake) -> datetime:
    newest: datetime = lake.scan("events").select(pl.col("at").max()).collect().item()
    return newest


def _worth_asking_about(run: Path) -> tuple[str, str]:
    """The household whose decision of the night is worth most, and one that had better wait."""
    # What chance chose would be no example of how Onje chooses.
    is_usual = ~(pl.col("explored_email") | pl.col("explored_hour") | pl.col("holdout"))
    decisions = pl.read_parquet(run / "decisions.parquet").filter(is_usual)
    best = decisions.sort("value", "customer_id", descending=[True, False], nulls_last=True)
    nothing = pl.col("because").list.first().struct.field("code") == "nothing_applies"
    quiet = best.filter(nothing).get_column("customer_id").sort()
    return best["customer_id"][0], (quiet if len(quiet) else best["customer_id"].reverse())[0]


@contextmanager
def _timed(what: str, seconds: dict[str, float]) -> Iterator[None]:
    start = time.monotonic()
    yield
    seconds[what] = round(time.monotonic() - start, 1)
    say(f"  {what}: {seconds[what]:.1f} s")
