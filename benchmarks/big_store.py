"""A store of 500,000 customers to measure on: SYNTHETIC, the same each time, kept and reused.

`python -m benchmarks.big_store --customers 500000` prints the folder, to be named as ONJE_HOME. A
simulated shop of a few thousand customers lies in its lake, and its models are trained on that. In
the store each customer has the newest lines of one of these, some days and minutes earlier: 15 of
them in the middle, 500 at most, as in a shop where few are busy. The lake knows nothing of them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl

from features.contracts import PERMISSION_KINDS
from features.history import to_history
from pipelines.console import Step, progress
from pipelines.delivery import keep_delivery
from pipelines.installation import PATIENCE_S, Installation, opened
from pipelines.models import TRAINERS
from pipelines.places import Places, places
from pipelines.retrain import Retrained, Skipped, retrain
from pipelines.simulator.into_lake import into_lake
from pipelines.simulator.past_mail import send_history
from pipelines.simulator.run import begin
from pipelines.simulator.world import START, create
from pipelines.simulator.worlds import known_world
from serving.scores import NEEDED
from serving.store import Store

CUSTOMERS = 500_000
# Of the simulated shop: as many as train the four models in a minute.
TAUGHT, WEEKS, SEED = 3_000, 40, 6
# A product of the simulated shop comes in so many sizes and colours: 640 x 8 = 5,120.
VARIANTS = 8
MEDIAN_LINES, SPREAD, MOST_LINES = 15, 1.15, 500
BLOCK = 10_000
DONE = "big-store.done"


def big_store(customers: int, *, step: Step) -> Path:
    """The home of such a store, made if it is not there yet; a broken one is made again."""
    home = places(os.environ).home / "benchmarks" / f"store-{customers}"
    if (home / DONE).exists():
        return home
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    settings = places(os.environ).settings_file
    with at_home(home, settings) as onje:
        _teach(onje, step)
        set_clock(onje)
    with at_home(home, settings) as onje:
        _fill(onje, customers, step)
        events = onje.lake.versions()["events"]
        keep_delivery(onje.lake, onje.store, version=events, as_of=START)
    (home / DONE).write_text(f"{customers} customers, synthetic\n")
    return home


@contextmanager
def at_home(home: Path, settings: Path) -> Iterator[Installation]:
    """The installation there under these settings, which the environment names meanwhile."""
    before = {name: os.environ.get(name) for name in ("ONJE_HOME", "ONJE_SETTINGS")}
    os.environ |= {"ONJE_HOME": str(home), "ONJE_SETTINGS": str(settings)}
    try:
        with opened() as onje:
            yield onje
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


def set_clock(onje: Installation) -> None:
    """Let it be the day on which the simulated past ends."""
    now = datetime.now(UTC)
    onje.set_clock((now - START).days, who="big store", at=now)


def _teach(onje: Installation, step: Step) -> None:
    """The simulated shop in the lake, and the models that learn from it."""
    world = create(
        known_world("default"), customers=TAUGHT, history_weeks=WEEKS, weeks=0, seed=SEED
    )
    run = begin(world)
    send_history(world, run)
    events = _in_variants(run.events(world.start))
    into_lake(replace(world, products=_with_variants(world.products)), events, onje.lake, step=step)
    learnt = retrain(
        [name for name, made in TRAINERS.items() if set(NEEDED) & set(made)],
        onje.lake,
        _registry(onje),
        known_until=world.start,
        trained_at=world.start,
        promote=True,
        settings=onje.settings,
        step=step,
    )
    _refuse_missing(learnt)


def _registry(onje: Installation):  # type: ignore[no-untyped-def]
    from training.registry import Registry  # brings mlflow

    return Registry(onje.places.home, None)


def _refuse_missing(learnt: list[Retrained | Skipped]) -> None:
    missing = [
        f"{one.name}: {one.reason if isinstance(one, Skipped) else one.verdict}"
        for one in learnt
        if isinstance(one, Skipped) or one.verdict is None or not one.verdict.promote
    ]
    if missing:
        sys.exit("the big store has no champion of " + "; ".join(missing))


def _with_variants(products: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(
        products.with_columns(_variant(pl.lit(number))) for number in range(VARIANTS)
    ).sort("product_id")


def _in_variants(events: pl.DataFrame) -> pl.DataFrame:
    """Each customer keeps to the same variant of a product."""
    dealt = (pl.col("customer_id").rank("dense") + pl.col("product_id").rank("dense")) % VARIANTS
    return events.with_columns(_variant(dealt))


def _variant(number: pl.Expr) -> pl.Expr:
    named = pl.concat_str("product_id", pl.lit("-"), number.cast(pl.String))
    return pl.when(pl.col("product_id").is_not_null()).then(named).alias("product_id")


def _fill(onje: Installation, customers: int, step: Step) -> None:
    """Publish block after block, in two processes: most of it is to pack each past."""
    doing = "customers into the store"
    starts = range(0, customers, BLOCK)
    step(doing, 0, len(starts))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        done = processes.map(_publish_block, repeat(onje.places), starts, repeat(customers))
        for place, _ in enumerate(done):
            step(doing, place + 1, len(starts))


_TEMPLATES: dict[Path, tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]] = {}


def _publish_block(at: Places, start: int, customers: int) -> None:
    with at_home(at.home, at.settings_file) as onje:
        if at.home not in _TEMPLATES:
            _TEMPLATES[at.home] = templates(onje)
        history, people, products = _TEMPLATES[at.home]
        numbers = np.arange(start, min(start + BLOCK, customers))
        pasts, persons = block(history, people, numbers)
        store = Store.open(onje.places.store_url, patience_s=6 * PATIENCE_S)
        try:
            store.publish(
                pasts,
                persons,
                products,
                newest_events=onje.settings.features.newest_events,
                compaction=0,
                about={"lake_versions": onje.lake.versions(), "synthetic": True},
            )
        finally:
            store.close()


def templates(onje: Installation) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The simulated shop: histories with the `age` of each line (0 is the newest), people, shelf.

    A line that says whether mail is allowed has age -1: it is kept however old it is.
    """
    products, people, events = (
        onje.lake.read(table) for table in ("products", "customers", "events")
    )
    history = to_history(events, products, settings=onje.settings.features)
    history = history.unique("event_id", maintain_order=True)
    is_kept = pl.col("kind").is_in(PERMISSION_KINDS)
    order = pl.struct("at", "event_id").rank("ordinal", descending=True).over("customer_id")
    aged = history.with_columns(age=pl.when(is_kept).then(-1).otherwise(order.cast(pl.Int64) - 1))
    newest = people.sort("customer_id", "known_at").unique("customer_id", keep="last")
    return aged.sort("customer_id", "at", "event_id"), newest.sort("customer_id"), products


def block(
    history: pl.DataFrame, people: pl.DataFrame, numbers: np.ndarray
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """HISTORY and CUSTOMERS of the customers of these numbers; each by its own number alone."""
    lengths = history.group_by("customer_id").len().sort("len", "customer_id")
    sizes = lengths["len"].to_numpy()
    dice = np.array([np.random.default_rng([SEED, number]).random(4) for number in numbers])
    lines = _lines(dice[:, 0], most=int(sizes[-1]))
    # Of those with a past long enough, anyone.
    first = np.searchsorted(sizes, lines)
    chosen = first + (dice[:, 1] * (len(sizes) - first)).astype(np.int64)
    dealt = pl.DataFrame(
        {
            "template": lengths["customer_id"].gather(chosen),
            "name": [f"customer-{number:07d}" for number in numbers],
            "lines": lines,
            # Whole days and some minutes earlier, so that hours stay what they were.
            "earlier": (dice[:, 2] * 7).astype(np.int64) * 1440
            + (dice[:, 3] * 15).astype(np.int64),
        }
    )
    earlier = pl.duration(minutes="earlier")
    pasts = (
        dealt.join(history, left_on="template", right_on="customer_id", how="inner")
        .filter(pl.col("age") < pl.col("lines"))
        .with_columns(
            pl.col("at", "known_at") - earlier,
            event_id=pl.concat_str("name", pl.lit("/"), "event_id"),
            customer_id="name",
        )
        .select(history.drop("age").columns)
    )
    persons = dealt.join(people, left_on="template", right_on="customer_id", how="inner")
    return pasts, persons.with_columns(customer_id="name").select(people.columns)


def _lines(chance: np.ndarray, *, most: int) -> np.ndarray:
    """How many lines a customer has: log-normal, half of them fewer than MEDIAN_LINES."""
    from scipy.special import ndtri

    drawn = MEDIAN_LINES * np.exp(SPREAD * ndtri(chance))
    return np.clip(np.rint(drawn), 1, min(MOST_LINES, most)).astype(np.int64)


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    asked = parser.parse_args(words)
    begun = time.monotonic()
    with progress(quiet=False) as step:
        home = big_store(asked.customers, step=step)
    print(f"{time.monotonic() - begun:.0f} s, {(home / 'store.db').stat().st_size / 1e9:.1f} GB")
    print(home)


if __name__ == "__main__":
    main(sys.argv[1:])
