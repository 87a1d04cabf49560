"""The send hour beside other ways of choosing it: in simulated shops, and on a year of real hours.

In a shop the truth is known (synthetic): the share of the gain in clicks of a newsletter that an
oracle has over the merchant's default hour. On Complete Journey the hour of the next basket is
told beforehand, learnt before October and judged after it, by the clock of New York.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.stats import t

from benchmarks.hours_peers import ALLOWED, PEERS, Hours, best_allowed
from benchmarks.hours_real import real_rows
from benchmarks.hours_world import Shop, shop_of
from benchmarks.model_rows import OURS, Row, Step, as_markdown
from features.build import features_as_of
from features.errors import NotReadyError
from features.profiles import hours_as_of
from pipelines.console import progress
from pipelines.settings import Settings, load_settings
from pipelines.simulator.worlds import WorldSettings, altered, known_world
from serving.hours import usual_of
from training.evaluate import Interval
from training.model.hours import score_hours
from training.send_hour import train_send_hour
from training.trained import About

DEFAULT = known_world("default")
# A shop of the world `default` has .23 clicks per customer in half a year.
CLICKS_75 = {"click_factor": 3.3}
TENFOLD = {"click_factor": 10.0, "visits_per_week": 8.0, "orders_per_week": 1.4}
# So many that all of them together take some six minutes, whatever they say.
WORLDS: Sequence[tuple[str, WorldSettings, int]] = (
    (".75 clicks each", altered(DEFAULT, **CLICKS_75), 5_000),
    (".75 clicks each, strong", altered(known_world("strong-hour"), **CLICKS_75), 2_000),
    ("null-hour", altered(known_world("null-hour"), **CLICKS_75), 2_000),
    ("ten times the clicks", known_world("rich"), 2_000),
    ("ten times the data", altered(DEFAULT, **TENFOLD), 750),
    ("confounded", altered(known_world("confounded"), **CLICKS_75), 2_000),
    ("tiny", known_world("tiny"), 500),
)
SEEDS = (11, 12, 13, 14)
ROOT = Path(__file__).parents[1]
DISTURBED = 2_000
SHARE = "share of the oracle's gain (synthetic)"
MOVED = "share of customers moved (synthetic)"


def rows(step: Step) -> list[Row]:
    """All rows: worlds first, then real hours."""
    settings = load_settings(ROOT / "onje.toml", patches=[])
    found: list[Row] = []
    total = len(WORLDS) + 2
    for place, (name, world, customers) in enumerate(WORLDS):
        step(f"send hour: world {name}", place, total)
        found += _of_world(name, world, customers, settings)
    step("send hour: worlds in which machines answer", total - 2, total)
    found += _disturbed(settings)
    step("send hour: Complete Journey", total - 1, total)
    found += real_rows(settings)
    step("send hour", total, total)
    return found


def onjes_hours(shop: Shop, settings: Settings) -> tuple[Hours, str]:
    """The best hours by the model that this shop would train, and what it learnt from."""
    try:
        trained = train_send_hour(
            shop.history,
            shop.customers,
            shop.products,
            known_until=shop.now,
            settings=settings.training,
            feature_settings=settings.features,
            about=About({}, "benchmark", shop.now, synthetic=True),
        )
    except NotReadyError:
        return np.full((shop.people.height, 2), settings.policy.default_hour), "no model"
    spine = shop.people.select("customer_id", "as_of")
    described = features_as_of(shop.history, spine, shop.customers, settings=settings.features)
    people = spine.join(
        described.select("customer_id", "as_of", "segment"),
        on=["customer_id", "as_of"], how="left", maintain_order="left",
    )  # fmt: skip
    hours = hours_as_of(shop.history, spine, shop.customers, settings=settings.features)
    scores = score_hours(trained.model, hours, people, usual_of(settings.policy))
    facts = trained.report.facts
    exponent = facts["exponent"]
    pull = settings.policy.hour_pull if exponent is None else exponent
    told = f"{facts['evidence']}, exponent {pull:.2f}"
    return best_allowed(scores.get_column("lift").to_numpy().reshape(-1, 2, 24)), told


def _of_world(name: str, world: WorldSettings, customers: int, settings: Settings) -> list[Row]:
    methods = [OURS, *PEERS]
    gains: Mapping[str, list[float]] = {method: [] for method in methods}
    moved: Mapping[str, list[float]] = {method: [] for method in methods}
    seconds = dict.fromkeys(methods, 0.0)
    notes = []
    for seed in SEEDS:
        shop = shop_of(world, customers=customers, seed=seed, chosen=settings)
        usual = shop.value(np.full((shop.people.height, 2), settings.policy.default_hour)).sum()
        oracle = shop.value(ALLOWED[shop.clicks[..., ALLOWED].argmax(axis=-1)]).sum()
        for method in methods:
            started = time.perf_counter()
            if method == OURS:
                hours, note = onjes_hours(shop, settings)
                notes.append(note)
            else:
                hours = PEERS[method](shop)
            seconds[method] += time.perf_counter() - started
            whole = oracle - usual if world.hour_gain else usual
            gains[method].append(float((shop.value(hours).sum() - usual) / whole))
            moved[method].append(float((hours != settings.policy.default_hour).mean()))
    data = f"world {name}, {customers:,} customers, {len(SEEDS)} seeds"
    metric = SHARE if world.hour_gain else "gain in clicks (synthetic)"
    ours = np.array(gains[OURS])
    told = [
        Row(
            data, "send hour", method, metric, _mean(gains[method]),
            None if method == OURS else _mean(ours - np.array(gains[method])),
            seconds[method] / len(SEEDS), "; ".join(notes) if method == OURS else "",
        )
        for method in methods
    ]  # fmt: skip
    if not world.hour_gain or world.night_mails > DEFAULT.night_mails:
        told += [
            Row(data, "send hour", method, MOVED, _share(moved[method]), None, None, "")
            for method in methods
        ]
    return told


def _disturbed(settings: Settings) -> list[Row]:
    """How many hours differ from the clean shop of the same seed, where machines answer mail.

    With clicks enough to learn from: where nothing is learnt from mail, machines disturb nothing.
    """
    clean_world = altered(DEFAULT, **CLICKS_75)
    clean = shop_of(clean_world, customers=DISTURBED, seed=SEEDS[0], chosen=settings)
    hours, clean_note = onjes_hours(clean, settings)
    found = []
    for name in ("mpp", "bot-flood"):
        world = altered(known_world(name), **CLICKS_75)
        shop = shop_of(world, customers=DISTURBED, seed=SEEDS[0], chosen=settings)
        others, note = onjes_hours(shop, settings)
        both = clean.people.with_row_index("clean").join(
            shop.people.with_row_index("dirty"), on="customer_id"
        )
        here, there = (both[of].to_numpy() for of in ("clean", "dirty"))
        differ = float((hours[here] != others[there]).mean())
        data = f"world {name}, .75 clicks each, {DISTURBED:,} customers, 1 seed"
        metric = "share of hours that differ from the clean world's (synthetic)"
        told = f"{note}; clean: {clean_note}"
        found.append(Row(data, "send hour", OURS, metric, differ, None, None, told))
    return found


def _mean(values: Sequence[float] | np.ndarray) -> Interval:
    """The mean over seeds with Student's interval."""
    given = np.asarray(values, dtype=np.float64)
    mean = float(given.mean())
    if len(given) < 2 or given.std() == 0:
        return Interval(mean, mean, mean)
    reach = float(t.ppf(0.975, len(given) - 1) * given.std(ddof=1) / np.sqrt(len(given)))
    return Interval(mean - reach, mean, mean + reach)


def _share(values: Sequence[float]) -> Interval:
    """The same of a share, which is never below nothing nor above all."""
    found = _mean(values)
    return Interval(max(0.0, found.low), found.estimate, min(1.0, found.high))


if __name__ == "__main__":
    with progress(quiet=False) as told:
        print(as_markdown(rows(told)))
